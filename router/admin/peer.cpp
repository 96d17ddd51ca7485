#include "router/admin/peer.hpp"

#include <sys/socket.h>
#ifdef __sun
#include <ucred.h>
#endif

namespace router {

std::optional<unsigned> peer_user(int socket) {
#ifdef __sun
  ucred_t* credentials = nullptr;
  if (getpeerucred(socket, &credentials) != 0) return std::nullopt;
  const unsigned user = ucred_geteuid(credentials);
  ucred_free(credentials);
  return user;
#else
  ucred credentials{};
  socklen_t bytes = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) != 0) return std::nullopt;
  return credentials.uid;
#endif
}

}  // namespace router
