#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "backends/moray/moray_shard.hpp"
#include "tests/contract/shard_client.hpp"

namespace test_support {

/// Addresses that the test changes.
class ChangingAddresses final : public backends::moray::AddressSource {
 public:
  std::shared_ptr<void> watch(boost::asio::io_context&, Changed changed) override {
    changed_ = std::move(changed);
    return nullptr;
  }
  void change(const Addresses& addresses) { changed_(addresses); }

 private:
  Changed changed_;
};

inline backends::moray::MorayShardOptions quick() {
  backends::moray::MorayShardOptions options;
  options.pool.back_off_least = std::chrono::milliseconds(20);
  options.pool.back_off_most = std::chrono::milliseconds(40);
  return options;
}

/// A moray shard on the test's loop, and what was asked of it.
struct MoraySystem {
  struct Sent {
    backends::Submitted submitted;
    CollectingSink sink;
    [[nodiscard]] bool done() const { return sink.answer.done; }
  };

  explicit MoraySystem(backends::moray::MorayShardOptions options = quick())
      : source(std::make_shared<ChangingAddresses>()),
        shard(std::make_unique<backends::moray::MorayShard>(loop, source, options)) {}

  /// A get, or a find where `stream`.
  Sent& send(bool stream = false, std::uint32_t affinity = 0) {
    return ask(stream ? backends::Rpc::find_objects : backends::Rpc::get_object, affinity);
  }
  /// The request's arguments are its number, from 1, and so much of a text.
  Sent& ask(backends::Rpc rpc, std::uint32_t affinity, std::size_t bytes = 0) {
    sent.emplace_back();
    const std::string text = ShardClient::payload(
        rpc, "[" + std::to_string(sent.size()) + ",\"" + std::string(bytes, 'x') + "\"]");
    const std::string_view piece = text;
    backends::Request request;
    request.rpc = rpc;
    request.pieces = {&piece, 1};
    request.stream = rpc == backends::Rpc::find_objects;
    request.affinity = affinity;
    sent.back().submitted = shard->submit(request, sent.back().sink);
    return sent.back();
  }
  void run(const std::function<bool()>& done) { run_until(loop, done); }
  void settle() { run_for(loop, std::chrono::milliseconds(60)); }

  boost::asio::io_context loop;
  std::list<Sent> sent;
  std::shared_ptr<ChangingAddresses> source;
  std::unique_ptr<backends::moray::MorayShard> shard;
};

}  // namespace test_support
