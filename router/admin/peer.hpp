#pragma once

#include <optional>

namespace router {

/// The user at the other end of a UNIX socket; nullopt where the system does not tell.
std::optional<unsigned> peer_user(int socket);

}  // namespace router
