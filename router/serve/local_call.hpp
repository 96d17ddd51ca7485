#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "fast/error_payload.hpp"
#include "router/serve/client_port.hpp"

namespace router {

class Dispatcher;

/// What a request of the process's own was answered.
struct LocalAnswer {
  std::vector<std::string> frames;   ///< payloads `{"m":…,"d":[…]}` of DATA, in order
  std::optional<std::string> error;  ///< the payload of an ERROR, `{"m":…,"d":{…}}`
};

/// A request that the process itself makes, by the same way as a client's: planned, gated,
/// bounded by its deadline. Lives on its worker; belongs to itself until it is answered.
class LocalCall final : private ClientPort {
 public:
  using Done = std::function<void(LocalAnswer)>;

  /// `payload`: `{"m":{"name":…},"d":[…]}`. `done` is called once, perhaps before this returns.
  static void make(Dispatcher& dispatcher, const std::string& payload, Done done);

 private:
  explicit LocalCall(Done done) : done_(std::move(done)) {}

  std::string& output() override { return output_; }
  void output_grew() override {}
  [[nodiscard]] bool stream_waits() const override { return false; }
  void answer_written(std::size_t) override {}
  [[nodiscard]] bool answer_fits(std::size_t) const override { return true; }
  void stream_paused() override {}
  void started(std::uint32_t, Exchange&) override { pending_ = true; }
  void finished(std::uint32_t) override;
  void held_changed(std::ptrdiff_t, std::ptrdiff_t) override {}
  void end();

  Done done_;
  std::string output_;
  bool starting_ = true;
  bool pending_ = false;
};

}  // namespace router
