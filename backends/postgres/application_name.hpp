#pragma once

#include <string>

namespace backends::postgres {

/// What servers show as the `application_name` of this process's sessions:
/// `moray-router HOST:PID`, at most 63 bytes (a longer host is cut). Whoever looks for the sessions
/// of a router that does not answer finds them by it, so that a URL does not change it.
std::string application_name();

}  // namespace backends::postgres
