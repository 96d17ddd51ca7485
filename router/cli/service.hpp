#pragma once

#include <string>

namespace router::cli {

/// Exit codes that SMF's restarter understands (smf_method(7)).
inline constexpr int kExitConfiguration = 96;  ///< no use in trying again: maintenance

/// How a service manager learns that the router is ready: by its starter's exit (SMF: the start
/// method must not return before), or by a message (systemd: NOTIFY_SOCKET).
class Service {
 public:
  /// Forks where `detach`: the child comes back from this call in a session of its own, and the
  /// parent ends when the child reports, with that exit code, or with the child's own if it ends
  /// before. Must be called before any thread is started.
  explicit Service(bool detach);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  /// The router serves. Once.
  void ready();
  /// It will not: the starter ends with this code.
  void failed(int exit_code);

 private:
  void report(unsigned char exit_code);
  int pipe_ = -1;
};

}  // namespace router::cli
