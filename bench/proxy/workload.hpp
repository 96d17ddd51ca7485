#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fast/frame.hpp"

/// What the load generator asks and the fake shard answers, so that each can check the other.
namespace bench {

enum class Kind : std::uint8_t { get, put, find, batch };

struct WorkloadOptions {
  std::size_t value_bytes = 600;  ///< of the text in a value
  std::uint32_t keys = 100'000;   ///< at most 0xffffff
  std::uint32_t rows = 1'000;     ///< that a find answers with
  bool node_moray =
      false;  ///< all that node-moray sends along, a put's value twice; else a request id alone
};

/// Requests, answers and their checks. What a router edits (a put's vnode, `_node` in a reply) lies
/// behind all that is compared.
class Workload {
 public:
  static constexpr std::uint32_t kBatchSize = 10;

  explicit Workload(WorkloadOptions options);

  void append_request(std::string& out, fast::Version version, std::uint32_t message_id, Kind kind,
                      std::uint32_t key) const;
  /// All frames of the answer. nullopt: not a request that this workload makes.
  std::optional<Kind> append_answer(std::string& out, const fast::Frame& request) const;
  /// Whether a DATA payload is the answer to the request; `row`: how many came before it.
  [[nodiscard]] bool good_data(Kind kind, std::uint32_t key, std::uint32_t row,
                               std::string_view payload) const;
  /// DATA frames of one answer.
  [[nodiscard]] std::uint32_t data_frames(Kind kind) const {
    return kind == Kind::find ? options_.rows : 1;
  }
  [[nodiscard]] const WorkloadOptions& options() const { return options_; }

 private:
  WorkloadOptions options_;
  std::string value_;         // `{"payload":"…"`, without its end
  std::string options_text_;  // likewise
  std::string get_suffix_, put_suffix_;
  std::string get_answer_suffix_;
};

}  // namespace bench
