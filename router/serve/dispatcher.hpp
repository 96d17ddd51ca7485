#pragma once

#include <cstdint>

#include "fast/frame.hpp"
#include "router/serve/client_port.hpp"
#include "router/serve/dispatch_context.hpp"
#include "router/serve/exchange.hpp"

namespace router {

/// What became of a frame that a client sent.
enum class Dispatched : std::uint8_t {
  taken,   ///< answered, or on its way (the client was told by ClientPort::started)
  broken,  ///< the payload is not Fast: the error is in the output, the connection must end
};

/// Takes clients' requests: reads, plans, sends. Lives on one worker.
class Dispatcher {
 public:
  explicit Dispatcher(DispatchContext& context) : context_(context) {}

  /// What requests, and those who make them, draw on.
  [[nodiscard]] budget::Account& memory() { return context_.memory; }

  /// Frames that were read together follow: they count as having arrived at one time.
  void begin_batch() { context_.batch_time.reset(); }

  /// A DATA frame of a client. Its bytes are not needed afterwards.
  Dispatched take(const fast::Frame& frame, ClientPort& client);

  /// An ERROR frame of a client (an old "cancel"): ignored where well-formed. False: malformed.
  bool valid_client_error(const fast::Frame& frame);

 private:
  void hold(Exchange::Origin origin, const fast::Frame& frame);
  void act(Planned& planned, Exchange::Origin origin, const fast::Frame& frame);
  void reject(const fast::Error& error, const Exchange::Origin& origin, const fast::Frame& frame);

  DispatchContext& context_;
};

/// Appends an ERROR frame; `rpc` empty: `m.name` is null.
void write_error_frame(std::string& out, fast::Version version, std::uint32_t message_id,
                       std::string_view rpc, const fast::Error& error);

}  // namespace router
