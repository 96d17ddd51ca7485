#pragma once

#include <string>

namespace backends::postgres {

/// What servers show as the `application_name` of this process's sessions:
/// `moray-router HOST:PID`, or what `name_application` has said. The sessions of a router that
/// does not answer are found by this name, so that a URL can't change it. At most 63 bytes: HOST is
/// cut.
std::string application_name();

/// Of a router that is a member of a fleet: `moray-router FLEET/ID`, at most 63 bytes of it.
std::string application_of_member(const std::string& fleet, const std::string& id);

/// For the whole process: before it has threads that connect to databases.
void name_application(std::string name);

}  // namespace backends::postgres
