#pragma once

#include <string>

namespace backends::postgres {

/// What servers show as the `application_name` of this process's sessions:
/// `moray-router HOST:PID`, at most 63 bytes (a longer host is cut). The sessions of a router that
/// does not answer are found by this name, so that a URL can't change it.
std::string application_name();

}  // namespace backends::postgres
