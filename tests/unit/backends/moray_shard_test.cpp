// A moray shard and the life of its connections, against a server that does as it is told.
#include <doctest/doctest.h>

#include "tests/unit/backends/moray_system.hpp"
#include "tests/unit/backends/scripted_server.hpp"

using namespace test_support;
using backends::FailureKind;
using backends::Rpc;
using backends::moray::MorayShardOptions;

TEST_CASE("moray shard: requests wait for the first connection, and share it") {
  MoraySystem system;
  ScriptedServer server(system.loop);
  auto& early = system.send();  // not even an address yet
  CHECK(early.submitted.ticket);
  system.source->change({server.endpoint()});
  system.send();
  system.run([&] { return server.requests.size() == 2; });
  CHECK(server.accepted == 1);
  for (const auto& request : server.requests) server.answer(request, fast::Status::end, "[1]");
  system.run([&] { return system.sent.back().done(); });
  CHECK(early.sink.answer.values.size() == 1);
  CHECK(system.shard->healthy());
}

TEST_CASE("moray shard: nobody there fails at once, until somebody is") {
  MoraySystem system;
  auto probe = std::make_unique<ScriptedServer>(system.loop);
  const auto endpoint = probe->endpoint();
  probe->stop();
  system.source->change({endpoint});
  auto& first = system.send();
  system.run([&] { return first.done(); });
  CHECK(first.sink.answer.failure->kind == FailureKind::no_connections);
  CHECK_FALSE(system.shard->healthy());
  CHECK_FALSE(system.send().submitted.ticket);  // no waiting while it is known to be down
  CHECK(system.shard->status().last_problem.find("connect failed") == 0);

  ScriptedServer server(system.loop, endpoint.port());
  system.run([&] { return system.shard->healthy(); });
  auto& later = system.send();
  system.run([&] { return !server.requests.empty(); });
  server.answer(server.requests[0], fast::Status::end);
  system.run([&] { return later.done(); });
  CHECK(system.shard->status().last_problem.empty());
}

TEST_CASE("moray shard: no address fails at once, and addresses that come later are used") {
  MoraySystem system;
  system.source->change({});
  auto& refused = system.send();
  CHECK(refused.submitted.failure.message == "no connections available");
  ScriptedServer server(system.loop);
  system.source->change({server.endpoint()});
  CHECK(system.shard->healthy());
  auto& served = system.send();
  system.run([&] { return !server.requests.empty(); });
  server.answer(server.requests[0], fast::Status::end);
  system.run([&] { return served.done(); });
}

TEST_CASE("moray shard: a lost connection fails what was in flight and is made again at once") {
  MoraySystem system;
  ScriptedServer server(system.loop);
  system.source->change({server.endpoint()});
  auto& first = system.send();
  system.run([&] { return server.requests.size() == 1; });
  server.answer(server.requests[0], fast::Status::end);
  system.run([&] { return first.done(); });
  auto& lost = system.send();
  system.run([&] { return server.requests.size() == 2; });
  server.drop(0);
  system.run([&] { return lost.done(); });
  CHECK(lost.sink.answer.failure->kind == FailureKind::connection_lost);
  CHECK(lost.sink.answer.failure->message == "unexpected end of transport stream");
  auto& next = system.send();  // waits instead of failing
  CHECK(next.submitted.ticket);
  system.run([&] { return server.requests.size() == 3; });
  server.answer(server.requests[2], fast::Status::end);
  system.run([&] { return next.done(); });
  CHECK(next.sink.answer.error_text().empty());
}

TEST_CASE("moray shard: a server that only hangs up is tried with back-off, not in a circle") {
  MoraySystem system;
  ScriptedServer server(system.loop);
  server.close_at_once = true;
  system.source->change({server.endpoint()});
  auto& request = system.send();
  system.run([&] { return request.done(); });
  CHECK(request.sink.answer.failure);
  const auto begin = std::chrono::steady_clock::now();
  const auto before = server.accepted;
  system.run([&] { return server.accepted > before + 6; });
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - begin);
  CHECK(took.count() >= 5 * 10);  // 10 to 40 ms apart
}

TEST_CASE("moray shard: a late answer is swallowed and reaches nobody else") {
  MoraySystem system;
  ScriptedServer server(system.loop);
  system.source->change({server.endpoint()});
  auto& given_up = system.send();
  system.run([&] { return server.requests.size() == 1; });
  CHECK(system.shard->cancel(*given_up.submitted.ticket));  // a read; its message id stays taken
  CHECK(system.shard->status().in_flight == 0);
  auto& other = system.send();
  system.run([&] { return server.requests.size() == 2; });
  CHECK(server.requests[0].message_id != server.requests[1].message_id);
  server.answer(server.requests[0], fast::Status::end, "[\"late\"]");
  server.answer(server.requests[1], fast::Status::end, "[\"right\"]");
  system.run([&] { return other.done(); });
  CHECK(objects::stringify(other.sink.answer.values.at(0)) == "\"right\"");
  CHECK(given_up.sink.answer.values.empty());
}

TEST_CASE("moray shard: an answer that nobody asked for, and a broken one, cost the connection") {
  for (const bool unknown_id : {true, false}) {
    MoraySystem system;
    ScriptedServer server(system.loop);
    system.source->change({server.endpoint()});
    auto& request = system.send();
    system.run([&] { return server.requests.size() == 1; });
    if (unknown_id)
      server.send(0, 12345, fast::Status::end, "{}");
    else
      server.send(0, server.requests[0].message_id, static_cast<fast::Status>(9), "{}");
    system.run([&] { return request.done(); });
    CHECK(request.sink.answer.failure->kind == FailureKind::bad_reply);
  }
}

TEST_CASE(
    "moray shard: streams have connections of their own; a cancelled one lets the next go on") {
  MorayShardOptions options = quick();
  options.pool.stream_connections_max = 1;
  MoraySystem system(options);
  ScriptedServer server(system.loop);
  system.source->change({server.endpoint()});
  auto& point = system.send();
  auto& first = system.send(true);
  auto& second = system.send(true);
  system.run([&] { return server.requests.size() == 2; });
  CHECK(server.accepted == 2);
  CHECK(server.requests[0].connection != server.requests[1].connection);
  CHECK(system.shard->cancel(*first.submitted.ticket));
  system.run([&] { return server.requests.size() == 3; });
  server.answer(server.requests[2], fast::Status::data, "[1]");
  server.answer(server.requests[2], fast::Status::end);
  for (const auto& request : server.requests)
    if (request.payload.find("getObject") != std::string::npos)
      server.answer(request, fast::Status::end);
  system.run([&] { return second.done() && point.done(); });
  CHECK(second.sink.answer.values.size() == 1);
  CHECK(first.sink.answer.frames == 0);
  // Done with one stream, its connection serves the next.
  auto& third = system.send(true);
  system.run([&] { return server.requests.size() == 4; });
  CHECK(server.requests[3].connection == server.requests[2].connection);
  server.answer(server.requests[3], fast::Status::end);
  system.run([&] { return third.done(); });
}

TEST_CASE("moray shard: retired, it serves who waited and then closes") {
  MoraySystem system;
  ScriptedServer server(system.loop);
  auto& waiting = system.send();
  system.source->change({server.endpoint()});
  system.shard->retire();
  CHECK_FALSE(system.shard->idle());
  system.run([&] { return server.requests.size() == 1; });
  CHECK_FALSE(system.send().submitted.ticket);
  server.answer(server.requests[0], fast::Status::end);
  system.run([&] { return waiting.done(); });
  CHECK(waiting.sink.answer.error_text().empty());
  system.run([&] { return system.shard->idle(); });
  system.run([&] { return server.open_connections() == 0; });
}

TEST_CASE("moray shard: an address that leaves is drained, and what was asked there is answered") {
  MoraySystem system;
  ScriptedServer old_server(system.loop), new_server(system.loop);
  system.source->change({old_server.endpoint()});
  auto& before = system.send();
  system.run([&] { return old_server.requests.size() == 1; });
  system.source->change({new_server.endpoint()});
  auto& after = system.send();
  system.run([&] { return new_server.requests.size() == 1; });
  CHECK(old_server.open_connections() == 1);
  old_server.answer(old_server.requests[0], fast::Status::end);
  new_server.answer(new_server.requests[0], fast::Status::end);
  system.run([&] { return before.done() && after.done(); });
  CHECK(before.sink.answer.error_text().empty());
  system.run([&] { return old_server.open_connections() == 0; });
  CHECK(system.shard->healthy());
}

TEST_CASE("moray shard: an address that joins gets a lane of its own, whoever's turn it is") {
  for (int attempt = 0; attempt < 20; ++attempt) {  // where the turn begins is drawn
    MoraySystem system;
    ScriptedServer one(system.loop), two(system.loop), three(system.loop);
    system.source->change({one.endpoint()});
    system.send();
    system.run([&] { return one.requests.size() == 1; });
    system.source->change({one.endpoint(), two.endpoint(), three.endpoint()});
    for (std::uint32_t vnode = 0; vnode < 9; ++vnode) system.send(false, vnode);
    system.run(
        [&] { return one.requests.size() + two.requests.size() + three.requests.size() == 10; });
    CHECK(one.requests.size() == 4);
    CHECK(two.requests.size() == 3);
    CHECK(three.requests.size() == 3);
  }
}

TEST_CASE("moray shard: with several addresses all are used, each vnode's requests over one lane") {
  MoraySystem system;
  ScriptedServer one(system.loop), two(system.loop);
  system.source->change({one.endpoint(), two.endpoint()});
  for (int round = 0; round < 3; ++round)
    for (std::uint32_t vnode = 0; vnode < 10; ++vnode) system.send(false, vnode);
  system.run([&] { return one.requests.size() + two.requests.size() == 30; });
  CHECK(one.requests.size() == 15);
  CHECK(two.requests.size() == 15);

  // One dies: its lane's requests go to the other, while it is gone.
  two.stop();
  system.settle();
  const std::size_t before = one.requests.size();
  for (std::uint32_t vnode = 0; vnode < 10; ++vnode)
    CHECK(system.send(false, vnode).submitted.ticket);
  system.run([&] { return one.requests.size() == before + 10; });
}
