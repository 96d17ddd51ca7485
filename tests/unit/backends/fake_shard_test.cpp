// The faults that tests inject are what they say they are.
#include "backends/fake/fake_shard.hpp"

#include <doctest/doctest.h>

#include "backends/embedded/embedded_shard.hpp"
#include "tests/contract/shard_client.hpp"
#include "tests/support/test_data.hpp"

using namespace test_support;
using backends::FailureKind;
using backends::Rpc;
using backends::fake::FakeShard;
using backends::fake::Fault;

namespace {

struct System {
  System()
      : shard(loop,
              std::make_unique<backends::embedded::EmbeddedShard>(loop, owner, "shard", 1000)) {
    client.call(Rpc::create_bucket, R"(["b",{"index":{"n":{"type":"number"}}},{}])");
    for (int i = 0; i < 100; ++i)
      client.call(Rpc::put_object, "[\"b\",\"" + std::to_string(i) + R"(",{"n":1},{}])");
  }
  Answer get() { return client.call(Rpc::get_object, R"(["b","1",{}])"); }
  Answer find() { return client.call(Rpc::find_objects, R"(["b","n=1",{}])"); }
  void inject(Fault fault) {
    shard.follow([fault](const backends::Request&) { return fault; });
  }

  TemporaryDirectory directory;
  boost::asio::io_context loop;
  std::shared_ptr<backends::embedded::Owner> owner = std::make_shared<backends::embedded::Owner>(
      backends::embedded::StoreOptions{directory.path() / "shard"}, false);
  FakeShard shard;
  ShardClient client{shard, loop};
};

}  // namespace

TEST_CASE("fake: refusals, errors, delays") {
  System system;
  system.inject({.refuse = backends::Failure{FailureKind::overloaded, "full", "{}"}});
  CHECK(system.get().failure->kind == FailureKind::overloaded);
  system.inject({.error = R"({"m":{},"d":{"name":"SomeError","message":"so"}})"});
  CHECK(system.get().error_text() == "SomeError: so");
  system.inject({.delay = std::chrono::milliseconds(30)});
  const auto begin = std::chrono::steady_clock::now();
  CHECK(system.get().values.size() == 1);
  CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(30));
}

TEST_CASE("fake: a connection cut after some rows") {
  System system;
  CHECK(system.find().values.size() == 100);
  system.inject({.cut_after = 7});
  const Answer answer = system.find();
  CHECK(answer.values.size() == 7);
  CHECK(answer.failure->kind == FailureKind::connection_lost);
  run_for(system.loop, std::chrono::milliseconds(20));
  CHECK(system.shard.status().in_flight == 0);
}

TEST_CASE("fake: a request that hangs can be given up") {
  System system;
  system.inject({.hang = true});
  CollectingSink sink;
  const std::string text = ShardClient::payload(Rpc::get_object, R"(["b","1",{}])");
  const std::string_view piece = text;
  backends::Request request;
  request.rpc = Rpc::get_object;
  request.pieces = {&piece, 1};
  const auto submitted = system.shard.submit(request, sink);
  run_for(system.loop, std::chrono::milliseconds(20));
  CHECK_FALSE(sink.answer.done);
  CHECK(system.shard.status().in_flight == 1);
  CHECK(system.shard.cancel(*submitted.ticket));
  CHECK(system.shard.status().in_flight == 0);
  system.shard.set_healthy(false);
  CHECK_FALSE(system.shard.healthy());
}
