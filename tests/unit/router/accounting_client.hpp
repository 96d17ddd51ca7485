#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "fast/decoder.hpp"
#include "router/serve/client_port.hpp"
#include "router/serve/exchange.hpp"

namespace router {

/// A client that keeps account of what it was told.
class AccountingClient final : public ClientPort {
 public:
  std::string& output() override { return output_; }
  void output_grew() override {}
  [[nodiscard]] bool stream_waits() const override { return full; }
  void answer_written(std::size_t) override {}
  [[nodiscard]] bool answer_fits(std::size_t) const override { return fits; }
  void stream_paused() override { paused = true; }
  void started(std::uint32_t id, Exchange& exchange) override { in_flight.emplace(id, &exchange); }
  void finished(std::uint32_t id) override { in_flight.erase(id); }
  void held_changed(std::ptrdiff_t by, std::ptrdiff_t) override { held += by; }

  /// Reads its output; the first thing that is wrong with it, or nothing.
  std::string read() {
    decoder_.feed(output_);
    std::string wrong;
    while (true) {
      const fast::Decoded next = decoder_.next();
      const auto* frame = std::get_if<fast::Frame>(&next);
      if (frame == nullptr) break;
      const auto open = unanswered.find(frame->message_id);
      if (open == unanswered.end()) {
        wrong = "an answer to " + std::to_string(frame->message_id) + ", which waits for none";
        break;
      }
      if (frame->status == fast::Status::data &&
          frame->payload.find("other-") != std::string_view::npos &&
          frame->payload.find("other-" + open->second) == std::string_view::npos)
        wrong = "the answer to another's request: " + std::string(frame->payload);
      if (!open->second.empty() && frame->payload.find("tcp://") != std::string_view::npos &&
          frame->payload.find(shard_of(open->second)) == std::string_view::npos)
        wrong =
            "an answer to " + open->second + " names another shard: " + std::string(frame->payload);
      if (frame->status != fast::Status::data) unanswered.erase(open);
    }
    decoder_.settle();
    output_.clear();
    return wrong;
  }

  std::map<std::uint32_t, Exchange*> in_flight;
  std::map<std::uint32_t, std::string> unanswered;  // by message id: the key, where it has one
  std::function<std::string(const std::string& key)> shard_of;
  std::ptrdiff_t held = 0;
  bool full = false, paused = false, fits = true;

 private:
  std::string output_;
  fast::Decoder decoder_{1u << 20};
};

}  // namespace router
