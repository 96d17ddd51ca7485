#include "router/member/version.hpp"

namespace router {

const char* program_version() { return MORAY_ROUTER_VERSION; }

}  // namespace router
