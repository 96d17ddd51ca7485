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

/// A shard whose session the server ends where it says that it has committed a batch: instead of
/// that, or right after it.
struct Ended {
  explicit Ended(bool after)
      : relay(cluster.port(),
              [this, after](std::string& said) {
                const std::size_t at = now ? said.find(kCommitted) : std::string::npos;
                if (at == std::string::npos) return;
                said.replace(at + (after ? kCommitted.size() : 0), std::string::npos, kEnded);
                ++times;
              }),
        client(loop, relay.url()) {
    client.good(Rpc::create_bucket, R"(["b",{"index":{"n":{"type":"number"}}},{}])");
    now = true;
    answer = client.call(Rpc::batch, kConditional);
    now = false;
  }

  PostgresCluster cluster;
  std::atomic<int> times{0};
  std::atomic<bool> now{false};
  Relay relay;
  boost::asio::io_context loop;
  Client client;
  Answer answer;
};

}  // namespace

TEST_CASE("postgres: a session that is ended after its COMMIT: all is done, and so it is told") {
  Ended ended(true);
  CHECK(ended.times == 1);
  CHECK(ended.answer.error_text() == "");
  const Answer read = ended.client.good(Rpc::get_object, R"(["b","k",{}])");
  CHECK(text_of(*read.values[0].get("value"), "n") == "2");
}

TEST_CASE("postgres: a session that is ended before the word on its COMMIT: nobody knows") {
  Ended ended(false);
  CHECK(ended.times == 1);
  REQUIRE(ended.answer.failure);
  CHECK(ended.answer.failure->kind == backends::FailureKind::connection_lost);
}
