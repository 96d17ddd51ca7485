#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace router {

class Log;

/// A UNIX socket for operators: a line of JSON in, a line of JSON out (docs/admin.md). On a thread
/// of its own. Mode 0600, and only root and the router's own user are answered. Of 64 clients the
/// one that has asked nothing for longest makes room for another; where all wait for an answer,
/// that is told that the router is busy. Lines have 16 MiB at most, and 64 MiB together.
class AdminServer {
 public:
  /// Takes the answer to a line, without line feeds. Any thread, while the server lives or after;
  /// a client that has left is no matter.
  using Reply = std::function<void(std::string line)>;
  /// Answers one line, at once or later. Called on the server's thread; it should not wait.
  using Handler = std::function<void(std::string_view line, Reply reply)>;

  /// Listens, in place of a socket that a dead process left. Throws std::runtime_error naming the
  /// path: another process listens there, or it can't be made.
  AdminServer(const std::string& path, Handler handler, Log& log);
  /// Removes the socket.
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

 private:
  struct Counts;
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace router
