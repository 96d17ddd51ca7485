// Morays that are connected and silent: who gets their requests, when they are given up, and when
// they are trusted again.
#include <doctest/doctest.h>

#include "tests/unit/backends/moray_system.hpp"
#include "tests/unit/backends/scripted_server.hpp"

using namespace test_support;
using backends::FailureKind;
using backends::Rpc;
using backends::moray::MorayShardOptions;
using namespace std::chrono_literals;

namespace {

MorayShardOptions watchful(std::chrono::milliseconds give_up_after) {
  MorayShardOptions options = quick();
  auto& progress = options.pool.connection.progress;
  progress.look_every = 10ms;
  progress.suspect_after = 60ms;
  progress.give_up_after = give_up_after;
  return options;
}
constexpr auto kNever = 1h;

/// Two servers, one of which answers nothing: vnodes 0 to 9, five for each.
struct Pair : MoraySystem {
  explicit Pair(std::chrono::milliseconds give_up_after)
      : MoraySystem(watchful(give_up_after)), hung(loop), good(loop) {
    good.answers_all = true;
    source->change({hung.endpoint(), good.endpoint()});
  }
  /// A request to each vnode.
  std::vector<Sent*> round(Rpc rpc = Rpc::get_object) {
    std::vector<Sent*> asked;
    for (std::uint32_t vnode = 0; vnode < 10; ++vnode) asked.push_back(&ask(rpc, vnode));
    return asked;
  }
  /// The first round: the vnodes of the silent one, known to be silent then.
  std::vector<std::uint32_t> doubt(Rpc rpc = Rpc::get_object) {
    first = round(rpc);
    run([&] { return doubted(); });
    CHECK(hung.requests.size() == 5);
    CHECK(good.requests.size() == 5);
    std::vector<std::uint32_t> vnodes;
    for (std::uint32_t vnode = 0; vnode < 10; ++vnode)
      if (!first[vnode]->done()) vnodes.push_back(vnode);
    return vnodes;
  }
  [[nodiscard]] bool doubted() const {
    return shard->status().last_problem.starts_with("no answer for ");
  }
  void run_all(const std::vector<Sent*>& asked) {
    run([&] { return std::all_of(asked.begin(), asked.end(), [](auto* s) { return s->done(); }); });
  }

  ScriptedServer hung, good;
  std::vector<Sent*> first;
};

}  // namespace

TEST_CASE("moray suspect: a silent server's requests go to another that answers") {
  Pair system(kNever);
  CHECK(system.doubt().size() == 5);
  CHECK(system.shard->healthy());
  const auto second = system.round();
  system.run_all(second);
  CHECK(system.good.requests.size() == 15);
  CHECK(system.hung.requests.size() == 5);
  // Streams, too: as many as there may be connections.
  for (int i = 0; i < 4; ++i) {
    auto& find = system.send(true);
    system.run([&] { return find.done(); });
  }
  CHECK(system.hung.requests.size() == 5);
}

TEST_CASE("moray suspect: with its answers a server gets its vnodes back") {
  Pair system(kNever);
  system.doubt();
  system.hung.answers_all = true;
  for (std::size_t i = 0; i < 5; ++i)
    system.hung.answer(system.hung.requests[i], fast::Status::end);
  system.run([&] { return !system.doubted(); });
  system.run_all(system.round());
  CHECK(system.hung.requests.size() == 10);
}

TEST_CASE("moray suspect: a write that may be done still holds its vnode") {
  Pair system(kNever);
  const auto vnodes = system.doubt(Rpc::put_object);
  REQUIRE(vnodes.size() == 5);
  auto& held = system.ask(Rpc::put_object, vnodes[0]);
  system.run([&] { return system.hung.requests.size() == 6; });
  // Given up, both: their clients wait no more, and neither does the next.
  CHECK_FALSE(system.shard->cancel(*system.first[vnodes[0]]->submitted.ticket));
  auto& still_held = system.ask(Rpc::get_object, vnodes[0]);
  system.run([&] { return system.hung.requests.size() == 7; });
  CHECK_FALSE(system.shard->cancel(*held.submitted.ticket));
  auto& free = system.ask(Rpc::put_object, vnodes[0]);
  system.run([&] { return free.done(); });
  CHECK_FALSE(still_held.done());
  CHECK(system.hung.requests.size() == 7);
}

TEST_CASE("moray suspect: vnodes return to their server when the writes beside it are answered") {
  Pair system(kNever);
  const auto vnodes = system.doubt();
  REQUIRE(vnodes.size() == 5);
  system.good.answers_all = false;
  auto& beside = system.ask(Rpc::put_object, vnodes[0]);
  system.run([&] { return system.good.requests.size() == 6; });
  for (std::size_t i = 0; i < 5; ++i)
    system.hung.answer(system.hung.requests[i], fast::Status::end);
  system.hung.answers_all = true;
  system.run([&] { return system.first[vnodes[4]]->done(); });
  system.settle();  // looks: the one that was silent is trusted again
  system.ask(Rpc::put_object, vnodes[0]);
  system.run([&] { return system.good.requests.size() == 7; });
  for (std::size_t i = 5; i < 7; ++i)
    system.good.answer(system.good.requests[i], fast::Status::end);
  system.run([&] { return beside.done() && system.sent.back().done(); });
  auto& home = system.ask(Rpc::put_object, vnodes[0]);
  system.run([&] { return home.done(); });
  CHECK(system.hung.requests.size() == 6);
}

TEST_CASE("moray suspect: where another answers, a silent one is closed, and proves itself anew") {
  Pair system(200ms);
  const auto vnodes = system.doubt();
  for (const std::uint32_t vnode : vnodes) {
    system.run([&] { return system.first[vnode]->done(); });
    const auto& failure = system.first[vnode]->sink.answer.failure;
    CHECK(failure->kind == FailureKind::connection_lost);
    CHECK(failure->message.starts_with("no answer for "));
  }
  system.run([&] { return system.hung.accepted == 2; });
  CHECK(system.shard->status().last_problem.starts_with("no answer for "));
  // Made again, it has one request at a time until it has answered one.
  const auto second = system.round();
  system.run([&] {
    return std::count_if(second.begin(), second.end(), [](auto* s) { return s->done(); }) >= 9;
  });
  system.run([&] { return system.hung.requests.size() == 6 || system.hung.accepted > 2; });
  CHECK(system.hung.requests.size() <= 5 + system.hung.accepted);
  system.hung.answers_all = true;  // whatever becomes of that one
  system.run([&] {
    const std::size_t before = system.hung.requests.size();
    system.run_all(system.round());
    return system.hung.requests.size() == before + 5;
  });
  system.run([&] { return system.shard->status().last_problem.empty(); });
}

TEST_CASE("moray suspect: a lone server keeps its requests, and is told of") {
  MoraySystem system(watchful(120ms));
  ScriptedServer server(system.loop);
  system.source->change({server.endpoint()});
  auto& first = system.send();
  system.run([&] { return !system.shard->healthy(); });
  CHECK(system.shard->status().last_problem.starts_with("no answer for "));
  CHECK_FALSE(system.shard->status().healthy);
  auto& second = system.send();  // it still takes them
  system.run([&] { return server.requests.size() == 2; });
  run_for(system.loop, 400ms);
  CHECK(server.accepted == 1);
  CHECK_FALSE(first.done());
  server.answer(server.requests[1], fast::Status::end);
  server.answer(server.requests[0], fast::Status::end);
  system.run([&] { return first.done() && second.done() && system.shard->healthy(); });
  CHECK(system.shard->status().last_problem.empty());
}

TEST_CASE("moray suspect: requests that take their time are no silence") {
  Pair system(120ms);
  system.round(Rpc::reindex_objects);
  system.run([&] { return system.hung.requests.size() == 5; });
  run_for(system.loop, 400ms);
  CHECK_FALSE(system.doubted());
  CHECK(system.hung.accepted == 1);
}

TEST_CASE("moray suspect: requests that were given up free their places where another server is") {
  Pair system(200ms);
  const auto asked = system.round(Rpc::delete_many);
  system.run([&] { return system.hung.requests.size() == 5 && asked.size() == 10; });
  for (auto* sent : asked)
    if (!sent->done()) CHECK_FALSE(system.shard->cancel(*sent->submitted.ticket));
  system.run([&] { return system.shard->status().in_flight == 0; });
  system.run_all(asked);
}

TEST_CASE("moray suspect: a shard that left the ring does not wait for a silent server for ever") {
  MoraySystem system(watchful(120ms));
  ScriptedServer server(system.loop);
  system.source->change({server.endpoint()});
  auto& request = system.send();
  system.run([&] { return server.requests.size() == 1; });
  system.shard->retire();
  system.run([&] { return system.shard->idle(); });
  CHECK(request.sink.answer.failure->kind == FailureKind::connection_lost);
}

TEST_CASE("moray suspect: a byte now and then of a large answer is no progress") {
  Pair system(200ms);
  const auto vnodes = system.doubt();
  const std::size_t connection = system.hung.requests[0].connection;
  std::string frame;
  fast::append_frame(frame, fast::Version::v1, fast::Status::data,
                     system.hung.requests[0].message_id, std::string(1 << 20, ' '));
  std::size_t bytes = 0;
  for (; !system.first[vnodes[0]]->done() && bytes < 2'000; ++bytes) {
    system.hung.send_bytes(connection, std::string_view(frame).substr(bytes, 1));
    run_for(system.loop, 10ms);
  }
  CHECK(system.first[vnodes[0]]->sink.answer.failure);
  CHECK(system.first[vnodes[0]]->sink.answer.failure->kind == FailureKind::connection_lost);
}
