// Sessions that the server ends at a moment of the test's choice.
#include <doctest/doctest.h>

#include <atomic>
#include <string>

#include "tests/contract/postgres_client.hpp"
#include "tests/contract/postgres_relay.hpp"

using namespace test_support;
using backends::Rpc;
using Client = test_support::PostgresClient;

namespace {

const std::string kCommitted(
    "C\0\0\0\x0b"
    "COMMIT\0",
    12);

constexpr const char* kConditional =
    R"([[{"bucket":"b","key":"k","value":{"n":2},"options":{"etag":null}}],{}])";

}  // namespace

TEST_CASE("postgres: a session that is ended after its COMMIT: all is done, and so it is told") {
  PostgresCluster cluster;
  std::atomic<int> ended{0};
  std::atomic<bool> now{false};
  Relay relay(cluster.port(), [&](std::string& said) {
    const std::size_t committed = now ? said.find(kCommitted) : std::string::npos;
    if (committed == std::string::npos) return;
    said.replace(committed + kCommitted.size(), std::string::npos, kEnded);
    ++ended;
  });
  boost::asio::io_context loop;
  Client client(loop, relay.url());
  client.good(Rpc::create_bucket, R"(["b",{"index":{"n":{"type":"number"}}},{}])");
  now = true;
  const Answer answer = client.call(Rpc::batch, kConditional);
  now = false;
  CHECK(ended == 1);
  CHECK(answer.error_text() == "");
  const Answer read = client.good(Rpc::get_object, R"(["b","k",{}])");
  CHECK(text_of(*read.values[0].get("value"), "n") == "2");
}

TEST_CASE("postgres: a session that is ended before the word on its COMMIT: nobody knows") {
  PostgresCluster cluster;
  std::atomic<int> ended{0};
  std::atomic<bool> now{false};
  Relay relay(cluster.port(), [&](std::string& said) {
    const std::size_t committed = now ? said.find(kCommitted) : std::string::npos;
    if (committed == std::string::npos) return;
    said.replace(committed, std::string::npos, kEnded);
    ++ended;
  });
  boost::asio::io_context loop;
  Client client(loop, relay.url());
  client.good(Rpc::create_bucket, R"(["b",{"index":{"n":{"type":"number"}}},{}])");
  now = true;
  const Answer answer = client.call(Rpc::batch, kConditional);
  now = false;
  CHECK(ended == 1);
  REQUIRE(answer.failure);
  CHECK(answer.failure->kind == backends::FailureKind::connection_lost);
}
