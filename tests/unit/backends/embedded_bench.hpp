#pragma once

#include <algorithm>
#include <list>
#include <memory>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "backends/embedded/embedded_shard.hpp"
#include "tests/contract/shard_client.hpp"
#include "tests/support/test_data.hpp"
#include "tests/unit/backends/faulty_env.hpp"

namespace test_support {

/// An owner of an empty directory.
struct OwnerScene {
  /// Writes are synced where there is an `env`, which must outlive it.
  explicit OwnerScene(const backends::embedded::OwnerLimits& limits = {}, FaultyEnv* env = nullptr)
      : owner(std::make_shared<backends::embedded::Owner>(
            backends::embedded::StoreOptions{directory.path() / "shard",
                                             env != nullptr ? env : leveldb::Env::Default()},
            env != nullptr, limits)) {}

  TemporaryDirectory directory;
  std::shared_ptr<backends::embedded::Owner> owner;
};

/// A worker's view of an owner, on a loop of its own that runs when the test says so.
class Worker {
 public:
  explicit Worker(std::shared_ptr<backends::embedded::Owner> owner)
      : shard(loop, std::move(owner), "shard", 100'000) {}

  struct Sent {
    backends::Submitted submitted;
    CollectingSink sink;
    bool cancelled = false;
    [[nodiscard]] backends::Ticket ticket() const { return *submitted.ticket; }
    [[nodiscard]] const Answer& answer() const { return sink.answer; }
  };
  /// Starts a request and leaves it under way.
  Sent& send(backends::Rpc rpc, const std::string& arguments) {
    const std::string text = ShardClient::payload(rpc, arguments);
    const std::string_view piece = text;
    backends::Request request;
    request.rpc = rpc;
    request.pieces = {&piece, 1};
    sent_.emplace_back();
    sent_.back().submitted = shard.submit(request, sent_.back().sink);
    return sent_.back();
  }
  Sent& put(const std::string& key, const std::string& text = "x") {
    return send(backends::Rpc::put_object,
                "[\"b\",\"" + key + "\",{\"v\":\"" + key + "\",\"text\":\"" + text + "\"},{}]");
  }
  Sent& get(const std::string& key) {
    return send(backends::Rpc::get_object, "[\"b\",\"" + key + "\",{}]");
  }
  Sent& find(const std::string& filter, const std::string& options = "{\"noLimit\":true}") {
    return send(backends::Rpc::find_objects, "[\"b\",\"" + filter + "\"," + options + "]");
  }

  bool cancel(Sent& sent) {
    sent.cancelled = shard.cancel(sent.ticket());
    return sent.cancelled;
  }

  Answer call(backends::Rpc rpc, const std::string& arguments) {
    return client.call(rpc, arguments);
  }
  /// "" or the error of a request that is waited for.
  std::string outcome(const Sent& sent) {
    run_until(loop, [&] { return sent.answer().done; });
    return sent.answer().error_text();
  }
  /// Waits for each request that was accepted and is under way, and forgets all.
  void finish() {
    run_until(loop, [this] {
      return std::all_of(sent_.begin(), sent_.end(), [](const Sent& sent) {
        return sent.answer().done || sent.cancelled || !sent.submitted.ticket;
      });
    });
    sent_.clear();
  }

  boost::asio::io_context loop;

 private:
  std::list<Sent> sent_;  // sinks outlive the shard

 public:
  backends::embedded::EmbeddedShard shard;
  ShardClient client{shard, loop};
};

/// Creates bucket `b`, whose field `v` is a text with an index.
inline void create_bucket(Worker& worker, bool unique = false) {
  const std::string index = unique ? R"({"type":"string","unique":true})" : R"({"type":"string"})";
  REQUIRE(worker.call(backends::Rpc::create_bucket, R"(["b",{"index":{"v":)" + index + "}},{}]")
              .error_text()
              .empty());
}

}  // namespace test_support
