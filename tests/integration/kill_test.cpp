// kill -9 in the middle of writes: with `sync` on, nothing acknowledged is lost.
#include <doctest/doctest.h>

#include <fstream>
#include <list>
#include <map>
#include <random>

#include "backends/moray/moray_shard.hpp"
#include "ring/leveldb_store.hpp"
#include "ring/topology.hpp"
#include "tests/contract/shard_client.hpp"
#include "tests/support/router_process.hpp"
#include "tests/support/test_data.hpp"

using namespace test_support;
using backends::Rpc;
using backends::moray::MorayShard;

namespace {

struct Write {
  std::string key;
  int value = 0;
  CollectingSink sink;
};

/// A client of a router, over a real connection.
struct Client {
  explicit Client(std::uint16_t port)
      : shard(
            loop,
            backends::moray::fixed_addresses({{boost::asio::ip::make_address("127.0.0.1"), port}}),
            {}) {}

  void put(Write& write) {
    const std::string text = ShardClient::payload(
        Rpc::put_object,
        "[\"b\",\"" + write.key + "\",{\"v\":" + std::to_string(write.value) + "},{}]");
    const std::string_view piece = text;
    backends::Request request;
    request.rpc = Rpc::put_object;
    request.pieces = {&piece, 1};
    shard.submit(request, write.sink);
  }

  boost::asio::io_context loop;
  MorayShard shard;
  ShardClient client{shard, loop};
};

}  // namespace

TEST_CASE("kill -9: every acknowledged write is there afterwards") {
  const TemporaryDirectory directory;
  std::mt19937 random(20261121);
  std::map<std::string, int> acknowledged;  // the least value that a key must have
  const std::vector<std::string> arguments{"dev", "--dir", directory.path() / "dev", "--port", "0"};
  int next_value = 1;
  for (int round = 0; round < 6; ++round) {
    RouterProcess router(arguments);
    std::list<Write> writes;
    {
      Client client(router.port());
      client.client.call(Rpc::create_bucket, R"(["b",{},{}])");
      for (int i = 0; i < 400; ++i) {
        writes.emplace_back();
        writes.back().key = "k" + std::to_string(random() % 50);
        writes.back().value = next_value++;
        client.put(writes.back());
      }
      const std::size_t enough = random() % 300;
      run_until(client.loop, [&] {
        return static_cast<std::size_t>(std::count_if(
                   writes.begin(), writes.end(),
                   [](const Write& write) { return write.sink.answer.done; })) >= enough;
      });
      router.kill();
      run_for(client.loop, std::chrono::milliseconds(50));  // answers that were on their way
    }
    for (const Write& write : writes)
      if (write.sink.answer.done && !write.sink.answer.error && !write.sink.answer.failure)
        acknowledged[write.key] = std::max(acknowledged[write.key], write.value);

    RouterProcess again(arguments);
    Client client(again.port());
    for (const auto& [key, value] : acknowledged) {
      CAPTURE(round);
      CAPTURE(key);
      const Answer answer = client.client.call(Rpc::get_object, "[\"b\",\"" + key + "\",{}]");
      REQUIRE(answer.error_text().empty());
      // A write of the same key that came after may be there too, though nobody was told.
      CHECK(*answer.values[0].get("value")->get("v")->number() >= value);
    }
  }
  CHECK(acknowledged.size() > 20);
}
