#pragma once

#include <variant>

namespace router {

/// How far a client's connection is on its way from accept to close. Each phase but the last leads
/// only to later ones:
///
///     open ──▶ input ended ──▶ draining ──▶ lingering ──▶ closed
///
/// and any of them may be passed over. Pure: the session asks it what may be done, and tells it
/// what has happened. Lives on one worker.
class SessionLife {
 public:
  /// Requests are read, and taken.
  struct Open {};
  /// The client sends no more. What was read is still taken, as limits allow.
  struct InputEnded {};
  /// No further request is taken; those in flight are answered.
  struct Draining {
    bool input_ended;
  };
  /// Our side is shut down; whatever the client still sends is thrown away, until it is done.
  struct Lingering {};
  struct Closed {};

  /// Bytes are read from the socket as requests.
  [[nodiscard]] bool reads() const { return is<Open>(); }
  /// Frames that were read are taken.
  [[nodiscard]] bool takes() const { return is<Open>() || is<InputEnded>(); }
  [[nodiscard]] bool draining() const { return is<Draining>() || is<Lingering>(); }
  [[nodiscard]] bool lingers() const { return is<Lingering>(); }
  [[nodiscard]] bool closed() const { return is<Closed>(); }

  void input_ended() {
    if (is<Open>()) phase_ = InputEnded{};
    if (auto* draining = std::get_if<Draining>(&phase_)) draining->input_ended = true;
  }
  void drain() {
    if (takes()) phase_ = Draining{is<InputEnded>()};
  }

  /// What is to be done when nothing is in flight and all output is written.
  enum class Rest { go_on, linger, close };
  /// Where it says linger, it lingers from now on. A client that has not said that it is done may
  /// be sending: a close with unread input would reset the connection, and destroy our last frames
  /// on the way.
  [[nodiscard]] Rest at_rest() {
    const auto* draining = std::get_if<Draining>(&phase_);
    if (is<InputEnded>() || (draining != nullptr && draining->input_ended)) return Rest::close;
    if (draining == nullptr) return Rest::go_on;
    phase_ = Lingering{};
    return Rest::linger;
  }
  void close() { phase_ = Closed{}; }

 private:
  template <class Phase>
  [[nodiscard]] bool is() const {
    return std::holds_alternative<Phase>(phase_);
  }

  std::variant<Open, InputEnded, Draining, Lingering, Closed> phase_;
};

}  // namespace router
