#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "config/config.hpp"
#include "ring/load.hpp"

namespace router {

/// Where the router's sockets ended up (ports may have been 0 in the configuration).
struct AppPorts {
  std::uint16_t listen = 0;
  std::uint16_t monitor = 0;
  std::uint16_t status = 0;
};

/// The whole router, put together: the one place where its parts are made and joined. No globals:
/// several may live in one process. Owned and called by one thread, but for `request_stop` and
/// `request_reload`.
class App {
 public:
  /// Who acts on the process's SIGTERM, SIGINT and SIGHUP: we, from before the first client is
  /// served, or the program that embeds us.
  enum class Signals : std::uint8_t { ours, not_ours };

  /// Loads the ring, starts the workers and listens. `config_file`: read again on reload; empty:
  /// the configuration stays. `elsewhere`: reads and edits rings in a process of its own
  /// (ring/load.hpp), so that no damaged file ends this one; empty: in this. Throws
  /// std::runtime_error naming what is wrong. A member of a fleet (docs/fleet.md) returns when its
  /// fleet lets it serve, which it waits for without limit, or when a signal of ours has asked it
  /// to stop.
  App(config::Config config, std::string config_file, int log_descriptor, Signals signals,
      ring::Loader elsewhere = {});
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  [[nodiscard]] AppPorts ports() const;

  /// It was asked to stop, before it has served perhaps.
  [[nodiscard]] bool stops() const;

  /// Serves until stopped by a signal or `request_stop`, drains and returns.
  void run();

  /// Any thread, also from a signal handler's loop: drain, then `run` returns.
  void request_stop();

  /// Any thread: loads ring and configuration again, all or nothing; the outcome is logged and
  /// shown in /status.
  void request_reload();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace router
