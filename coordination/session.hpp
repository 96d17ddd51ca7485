#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "coordination/requests.hpp"

namespace coordination {

/// A client's session with the service in which a fleet agrees. Lives on one thread, where each
/// call is made and everything is called back, never from inside a call.
///
/// Requests of one session are done in the order in which they were made. What a session reads is
/// at least as new as what it has written, and as what it has read before; it may be older than
/// what others have written. A new session may see an older past than the last one of the same
/// program did, until it has written something itself.
///
/// When a session is destroyed, nothing of it is called back any more, and its nodes end with it.
class Session {
 public:
  enum class State : std::uint8_t {
    connecting,  ///< requests wait, or end as unknown; the session may have expired already
    connected,
    expired,  ///< for good: its nodes are gone, every request ends as unknown; a new one is needed
    denied,   ///< for good: its credentials are refused
  };

  /// Waits where its read was answered: as `done`, or, of a node, as `no_node`. Called once at
  /// most, when what was read may have changed, or the session has ended: read again. Not called
  /// while there is no connection; two changes may be one call.
  using Watch = std::function<void()>;
  using Done = std::function<void(Outcome)>;
  using GotNode = std::function<void(Outcome, Node)>;
  using GotChildren = std::function<void(Outcome, std::vector<std::string>)>;
  /// The outcome of all: `done`, or why nothing was done, and which of the requests said so.
  using GotAll = std::function<void(Outcome, std::size_t failed)>;

  virtual ~Session() = default;

  [[nodiscard]] virtual State state() const = 0;
  /// What nodes name as their owner; 0 until the first connection.
  [[nodiscard]] virtual std::int64_t id() const = 0;
  /// `changed` is called after each change of `state()`.
  virtual void on_state(std::function<void(State)> changed) = 0;

  /// Reads a node. `watch` (or null) waits for its next change; where there is no such node, for
  /// its creation.
  virtual void get(const std::string& path, Watch watch, GotNode got) = 0;
  /// Names of a node's children, sorted. `watch` (or null) waits until there are others, where
  /// there is such a node.
  virtual void children(const std::string& path, Watch watch, GotChildren got) = 0;
  virtual void create(Create create, Done done) = 0;
  virtual void set(Set set, Done done) = 0;
  virtual void remove(Remove remove, Done done) = 0;
  /// All or nothing, as one step. One of checks alone is a write, too: it shows that what was read
  /// is true now.
  virtual void transact(std::vector<Write> writes, GotAll done) = 0;
};

}  // namespace coordination
