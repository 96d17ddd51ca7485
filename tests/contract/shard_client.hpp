#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "backends/shard.hpp"
#include "objects/js_value.hpp"

namespace test_support {

/// What a shard made of one request.
struct Answer {
  std::vector<objects::JsValue> values;      ///< of all DATA and END messages
  std::optional<objects::JsValue> error;     ///< `d` of an ERROR message
  std::optional<backends::Failure> failure;  ///< also that of a refused submit
  std::size_t frames = 0;
  bool done = false;

  [[nodiscard]] std::string error_text() const;  ///< "<name>: <message>", of an error or a failure
};

/// Asks a shard and waits, on the shard's own loop.
class ShardClient {
 public:
  ShardClient(backends::Shard& shard, boost::asio::io_context& loop) : shard_(shard), loop_(loop) {}

  /// `arguments`: JSON. Fails the test where no answer comes within 20 s.
  Answer call(backends::Rpc rpc, std::string_view arguments);

  /// The payload of a request as a client would send it.
  static std::string payload(backends::Rpc rpc, std::string_view arguments);

 private:
  backends::Shard& shard_;
  boost::asio::io_context& loop_;
};

/// Collects one request's answer.
class CollectingSink final : public backends::ReplySink {
 public:
  void on_data(const backends::Reply& reply) override;
  void on_end(const backends::Reply& reply) override;
  void on_error(const backends::Reply& reply) override;
  void on_failure(const backends::Failure& failure) override;

  Answer answer;

 private:
  void collect(const backends::Reply& reply);
};

/// Runs the loop until `done` or 20 s; fails the test then.
void run_until(boost::asio::io_context& loop, const std::function<bool()>& done);

/// Runs the loop for that long, also where it has nothing to do.
void run_for(boost::asio::io_context& loop, std::chrono::milliseconds time);

}  // namespace test_support
