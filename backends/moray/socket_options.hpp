#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/// TCP's options for a connection to a moray, where the system has them. `socket`: a descriptor.
namespace backends::moray {

/// A moray sends DATA and END in two small writes, and (Nagle) the second waits for our
/// acknowledgement of the first, which Linux would delay by 40 ms.
inline void acknowledge_now([[maybe_unused]] int socket) {
#ifdef TCP_QUICKACK
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
#endif
}

/// A server that is gone without a word shows within about a minute, idle or not; so does one whose
/// machine lives and whose process has taken nothing for so long.
inline void watch_peer([[maybe_unused]] int socket) {
  [[maybe_unused]] const auto set = [socket](int option, int value) {
    ::setsockopt(socket, IPPROTO_TCP, option, &value, sizeof value);
  };
#ifdef TCP_KEEPIDLE
  set(TCP_KEEPIDLE, 30);  // seconds
#endif
#ifdef TCP_KEEPINTVL
  set(TCP_KEEPINTVL, 10);  // seconds
#endif
#ifdef TCP_KEEPCNT
  set(TCP_KEEPCNT, 3);
#endif
#ifdef TCP_USER_TIMEOUT
  set(TCP_USER_TIMEOUT, 60'000);  // milliseconds
#endif
}

}  // namespace backends::moray
