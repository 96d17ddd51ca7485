// A moray that takes nothing for a while, as a stopped one does: what is kept for it, what is
// refused, and what it gets when it wakes.
#include <doctest/doctest.h>

#include <set>

#include "tests/unit/backends/moray_system.hpp"
#include "tests/unit/backends/scripted_server.hpp"

using namespace test_support;
using backends::FailureKind;
using backends::Rpc;
using backends::moray::MorayShardOptions;

namespace {

constexpr std::size_t kPutBytes = 100'000;

/// The numbers of the requests that a server got, in order.
std::vector<std::size_t> numbers(const ScriptedServer& server) {
  std::vector<std::size_t> all;
  for (const auto& request : server.requests)
    all.push_back(std::stoul(request.payload.substr(request.payload.find("\"d\":[") + 5)));
  return all;
}

/// A shard whose only server is connected and reads nothing.
struct Stopped : MoraySystem {
  explicit Stopped(MorayShardOptions options = quick()) : MoraySystem(options), server(loop) {
    server.stop_reading();
    source->change({server.endpoint()});
    first = &send();
    run([&] { return server.accepted == 1 && shard->status().connections == 1; });
  }
  std::size_t put(std::size_t count) {
    std::size_t taken = 0;
    for (std::size_t i = 0; i < count; ++i) {
      taken += ask(Rpc::put_object, 0, kPutBytes).submitted.ticket ? 1u : 0u;
      loop.poll();  // turns of the loop, so that sockets fill
    }
    return taken;
  }

  ScriptedServer server;
  Sent* first;
};

}  // namespace

TEST_CASE("moray stall: what was cancelled before it was written is not sent when it can be") {
  Stopped system;
  REQUIRE(system.put(400) == 400);
  // 400 puts of 100 KB: the sockets' buffers hold less than half of them.
  std::set<std::size_t> taken_back;
  std::size_t number = 0, late = 0;
  for (auto& sent : system.sent)
    if (++number % 2 == 0 && system.shard->cancel(*sent.submitted.ticket))
      taken_back.insert(number);
    else if (number % 2 == 0)
      ++late;
  CHECK(taken_back.size() > 50);
  CHECK(system.shard->status().in_flight == 401 - taken_back.size());
  system.server.answers_all = true;
  system.server.go_on();
  system.run([&] { return system.shard->status().in_flight == 0; });
  const auto got = numbers(system.server);
  CHECK(got.size() == 401 - taken_back.size());
  CHECK(std::is_sorted(got.begin(), got.end()));
  for (const std::size_t one : got) CHECK_FALSE(taken_back.contains(one));
  number = 0;
  for (const auto& sent : system.sent) CHECK(sent.done() != taken_back.contains(++number));
  // Those that were on their way keep their ids until they are answered; all are free now.
  CHECK(late + taken_back.size() == 200);
}

TEST_CASE("moray stall: bytes that are unsent have a bound") {
  MorayShardOptions options = quick();
  options.unsent_bytes_max = 4 << 20;
  Stopped system(options);
  const std::size_t taken = system.put(400);
  CHECK(taken < 300);
  CHECK(taken > 40);
  auto& refused = system.ask(Rpc::put_object, 0, kPutBytes);
  CHECK(refused.submitted.failure.kind == FailureKind::overloaded);
  CHECK(refused.submitted.failure.message.starts_with("too many bytes are unsent to this shard: "));
  CHECK(refused.submitted.failure.message.ends_with(" more, of 4194304"));
  // One that is taken back makes room for another.
  std::size_t made = 0;
  for (auto sent = system.sent.rbegin(); sent != system.sent.rend() && made == 0; ++sent)
    if (sent->submitted.ticket) made += system.shard->cancel(*sent->submitted.ticket) ? 1u : 0u;
  REQUIRE(made == 1);
  CHECK(system.put(2) == 1);
  // Streams have connections of their own, but one bound.
  CHECK_FALSE(system.ask(Rpc::find_objects, 0, kPutBytes).submitted.ticket);
  system.server.answers_all = true;
  system.server.go_on();
  system.run([&] { return system.shard->status().in_flight == 0; });
  CHECK(system.put(1) == 1);
}

TEST_CASE(
    "moray stall: requests that wait for a connection count, and a large one alone is taken") {
  MorayShardOptions options = quick();
  options.unsent_bytes_max = 1'000;
  MoraySystem system(options);
  auto& large = system.ask(Rpc::put_object, 0, 5'000);
  CHECK(large.submitted.ticket);
  CHECK(system.send().submitted.failure.kind == FailureKind::overloaded);
  CHECK(system.shard->cancel(*large.submitted.ticket));
  CHECK(system.send().submitted.ticket);
  CHECK(system.send().submitted.ticket);
  CHECK(system.shard->status().in_flight == 2);
}

TEST_CASE("moray stall: a write that waited for a connection is cancelled by the same ticket") {
  MoraySystem system;
  ScriptedServer server(system.loop);
  server.stop_reading();
  for (int i = 0; i < 300; ++i) system.ask(Rpc::put_object, 0, kPutBytes);
  REQUIRE(system.sent.back().submitted.ticket);
  system.source->change({server.endpoint()});
  system.run([&] { return system.shard->status().connections == 1; });
  system.settle();
  CHECK(system.shard->cancel(*system.sent.back().submitted.ticket));
  CHECK_FALSE(system.shard->cancel(*system.sent.front().submitted.ticket));
  server.answers_all = true;
  server.go_on();
  system.run([&] { return system.shard->status().in_flight == 0; });
  CHECK(server.requests.size() == 299);
  CHECK_FALSE(system.sent.back().done());
}

TEST_CASE("moray stall: a lost connection tells what was never sent from what may have been done") {
  Stopped system;
  REQUIRE(system.put(300) == 300);
  auto& read = system.ask(Rpc::get_object, 0);
  system.server.stop();
  system.run([&] { return read.done(); });
  CHECK(read.sink.answer.failure->kind == FailureKind::connection_lost);  // is tried again
  std::size_t unsent = 0, unknown = 0;
  for (const auto& sent : system.sent) {
    REQUIRE(sent.done());
    const bool nothing = sent.sink.answer.failure->kind == FailureKind::no_connections;
    if (nothing) CHECK(&sent != system.first);
    (nothing ? unsent : unknown) += 1;
  }
  CHECK(unsent > 100);
  CHECK(unknown > 2);
}

TEST_CASE("moray stall: a retired shard drops what is taken back, and ends with the rest") {
  Stopped system;
  REQUIRE(system.put(300) == 300);
  system.shard->retire();
  std::size_t taken_back = 0;
  for (auto& sent : system.sent)
    taken_back += system.shard->cancel(*sent.submitted.ticket) ? 1u : 0u;
  CHECK(taken_back > 100);
  CHECK_FALSE(system.shard->idle());
  system.server.answers_all = true;
  system.server.go_on();
  system.run([&] { return system.shard->idle(); });
  CHECK(system.server.requests.size() == 302 - taken_back);  // the first, a read, was out
}
