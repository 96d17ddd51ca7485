#include "tests/contract/contract.hpp"

#include <algorithm>
#include <list>
#include <set>

#include <doctest/doctest.h>

#include "tests/contract/shard_client.hpp"

namespace test_support {
namespace {

using backends::FailureKind;
using backends::Request;
using backends::Rpc;
using backends::Shard;
using backends::Ticket;
using objects::JsValue;

constexpr std::size_t kInFlightMax = 5'000;

/// One shard, asked in many ways at once.
class Bench {
 public:
  Bench(ShardMaker& maker, std::size_t in_flight_max = kInFlightMax)
      : shard(maker.make(loop, in_flight_max)), client(*shard, loop) {}

  Answer call(Rpc rpc, const std::string& arguments) { return client.call(rpc, arguments); }
  Answer succeed(Rpc rpc, const std::string& arguments) {
    Answer answer = call(rpc, arguments);
    CAPTURE(arguments);
    CHECK(answer.error_text() == "");
    return answer;
  }

  struct Sent {
    backends::Submitted submitted;
    CollectingSink sink;
  };
  /// Starts a request and leaves it under way.
  Sent& send(Rpc rpc, const std::string& arguments, std::uint32_t affinity = 0) {
    sent.emplace_back();
    const std::string text = ShardClient::payload(rpc, arguments);
    const std::string_view piece = text;
    Request request;
    request.rpc = rpc;
    request.pieces = {&piece, 1};
    request.affinity = affinity;
    request.stream = rpc == Rpc::find_objects;
    sent.back().submitted = shard->submit(request, sent.back().sink);
    return sent.back();
  }
  void run(const std::function<bool()>& done) { run_until(loop, done); }
  /// Lets whatever is on its way arrive.
  void settle() { run_for(loop, std::chrono::milliseconds(100)); }

  boost::asio::io_context loop;
  std::list<Sent> sent;  // sinks outlive the shard
  std::unique_ptr<Shard> shard;
  ShardClient client;
};

std::string member(const JsValue& value, const char* name) {
  const JsValue* found = value.get(name);
  return found == nullptr ? "nothing" : objects::stringify(*found);
}

void create_bucket(Bench& bench, const char* name) {
  bench.succeed(
      Rpc::create_bucket,
      "[\"" + std::string(name) +
          R"(",{"index":{"n":{"type":"number"},"u":{"type":"string","unique":true}}},{}])");
}

void check_objects(Bench& bench) {
  create_bucket(bench, "things");
  const Answer put =
      bench.succeed(Rpc::put_object, R"(["things","a",{"n":1,"text":"é\u0001"},{}])");
  REQUIRE(put.values.size() == 1);
  const Answer got = bench.succeed(Rpc::get_object, R"(["things","a",{"noCache":true}])");
  REQUIRE(got.values.size() == 1);
  CHECK(member(*got.values[0].get("value"), "n") == "1");
  CHECK(member(*got.values[0].get("value"), "text") == "\"é\\u0001\"");
  CHECK(member(got.values[0], "_etag") == member(put.values[0], "etag"));
  CHECK(bench.call(Rpc::put_object, R"(["things","a",{"n":2},{"etag":"00000000"}])")
            .error_text()
            .starts_with("EtagConflictError: "));
  CHECK(bench.call(Rpc::put_object, R"(["things","a",{"n":2},{"etag":null}])")
            .error_text()
            .starts_with("EtagConflictError: "));
  bench.succeed(Rpc::put_object, R"(["things","b",{"u":"one"},{"etag":null}])");
  CHECK(bench.call(Rpc::put_object, R"(["things","c",{"u":"one"},{}])")
            .error_text()
            .starts_with("UniqueAttributeError: "));
  bench.succeed(Rpc::del_object, R"(["things","a",{}])");
  CHECK(bench.call(Rpc::get_object, R"(["things","a",{}])").error_text() ==
        "ObjectNotFoundError: things::a does not exist");
  CHECK(bench.call(Rpc::get_object, R"(["nothing","a",{}])").error_text() ==
        "BucketNotFoundError: nothing does not exist");
  bench.succeed(Rpc::del_object, R"(["things","b",{}])");
}

/// All or nothing, in order.
void check_batches(Bench& bench) {
  CHECK(
      bench
          .call(
              Rpc::batch,
              R"([[{"bucket":"things","key":"x","value":{"n":1}},)"
              R"({"bucket":"things","key":"x","value":{"n":2},"options":{"etag":"00000000"}}],{}])")
          .error_text()
          .starts_with("EtagConflictError: "));
  CHECK(bench.call(Rpc::get_object, R"(["things","x",{}])")
            .error_text()
            .starts_with("ObjectNotFoundError: "));
  bench.succeed(Rpc::batch,
                R"([[{"bucket":"things","key":"x","value":{"n":1}},)"
                R"({"bucket":"things","key":"x","operation":"put","value":{"n":2}}],{}])");
  CHECK(member(*bench.succeed(Rpc::get_object, R"(["things","x",{}])").values[0].get("value"),
               "n") == "2");
  bench.succeed(Rpc::del_object, R"(["things","x",{}])");
}

/// Writes of one affinity are done in the order in which they were submitted.
void check_order(Bench& bench) {
  constexpr int kWrites = 200;
  std::vector<Bench::Sent*> writes;
  for (int i = 1; i <= kWrites; ++i)
    writes.push_back(&bench.send(Rpc::put_object,
                                 R"(["things","ordered",{"n":)" + std::to_string(i) + "},{}]", 7));
  bench.run([&] {
    return std::all_of(writes.begin(), writes.end(),
                       [](const auto* sent) { return sent->sink.answer.done; });
  });
  for (const auto* sent : writes) CHECK(sent->sink.answer.error_text() == "");
  CHECK(member(*bench.succeed(Rpc::get_object, R"(["things","ordered",{}])").values[0].get("value"),
               "n") == std::to_string(kWrites));
  bench.succeed(Rpc::del_object, R"(["things","ordered",{}])");
}

constexpr const char* kFindAll =
    R"json(["many","(n>=0)",{"token":"tcp://1.moray.contract:2020","noLimit":true,"no_count":true}])json";
constexpr std::size_t kMany = 3000;

void fill_many(Bench& bench) {
  create_bucket(bench, "many");
  const std::string filling(1000, 'x');
  for (std::size_t i = 0; i < kMany; ++i) {
    const std::string n = std::to_string(i);
    bench.send(Rpc::put_object,
               "[\"many\",\"" + n + "\",{\"n\":" + n + ",\"text\":\"" + filling + "\"},{}]", 1);
  }
  bench.run([&] {
    return std::all_of(bench.sent.begin(), bench.sent.end(),
                       [](const auto& sent) { return sent.sink.answer.done; });
  });
  bench.sent.clear();
}

/// A paused stream comes to rest, and goes on where it was.
void check_streams(Bench& bench) {
  fill_many(bench);
  Bench::Sent& find = bench.send(Rpc::find_objects, kFindAll);
  REQUIRE(find.submitted.ticket);
  bench.run([&] { return find.sink.answer.values.size() > 5; });
  bench.shard->pause(*find.submitted.ticket);
  bench.settle();
  const std::size_t at_rest = find.sink.answer.values.size();
  bench.settle();
  CHECK(find.sink.answer.values.size() == at_rest);
  CHECK_FALSE(find.sink.answer.done);
  // Others go on meanwhile.
  bench.succeed(Rpc::get_object, R"(["many","1",{}])");
  bench.shard->resume(*find.submitted.ticket);
  CHECK(find.sink.answer.values.size() == at_rest);  // not from inside `resume`
  bench.run([&] { return find.sink.answer.done; });
  CHECK(find.sink.answer.error_text() == "");
  std::set<std::string> keys;
  for (const JsValue& row : find.sink.answer.values) keys.insert(member(row, "key"));
  CHECK(keys.size() == kMany);
  CHECK(find.sink.answer.values.size() == kMany);
}

/// A cancelled stream is never heard of again, and the shard serves on.
void check_cancel(Bench& bench) {
  Bench::Sent& find = bench.send(Rpc::find_objects, kFindAll);
  bench.run([&] { return !find.sink.answer.values.empty(); });
  CHECK(bench.shard->cancel(*find.submitted.ticket));
  const std::size_t values = find.sink.answer.values.size();
  Bench::Sent& unheard = bench.send(Rpc::find_objects, kFindAll);
  CHECK(bench.shard->cancel(*unheard.submitted.ticket));
  bench.settle();
  CHECK(find.sink.answer.values.size() == values);
  CHECK_FALSE(find.sink.answer.done);
  CHECK(unheard.sink.answer.frames == 0);

  // A point request may be beyond recall; then its sink is called.
  Bench::Sent& get = bench.send(Rpc::get_object, R"(["many","1",{}])");
  if (!bench.shard->cancel(*get.submitted.ticket)) bench.run([&] { return get.sink.answer.done; });
  Bench::Sent& again = bench.send(Rpc::find_objects, kFindAll);
  bench.run([&] { return again.sink.answer.done; });
  CHECK(again.sink.answer.values.size() == kMany);
}

void check_bad_arguments(Bench& bench) {
  CHECK(bench.call(Rpc::get_object, R"(["things"])").error_text().starts_with("InvocationError: "));
  CHECK(bench.call(Rpc::find_objects, R"(["many","(",{"token":"tcp://1.moray.contract:2020"}])")
            .error_text() == "InvalidQueryError: ( is an invalid filter");
  CHECK(bench.shard->healthy());
}

void check_bounds(ShardMaker& maker) {
  Bench bench(maker, 10);
  std::size_t refused = 0;
  for (int i = 0; i < 50; ++i) {
    const Bench::Sent& sent = bench.send(Rpc::get_object, R"(["many","1",{}])");
    if (sent.submitted.ticket) continue;
    ++refused;
    CHECK(sent.submitted.failure.kind == FailureKind::overloaded);
  }
  CHECK(refused == 40);
  bench.run([&] {
    return std::all_of(bench.sent.begin(), bench.sent.end(), [](const auto& sent) {
      return sent.sink.answer.done || !sent.submitted.ticket;
    });
  });
  bench.succeed(Rpc::get_object, R"(["many","1",{}])");
}

/// What was accepted is answered, nothing new is taken, and then it is idle.
void check_retire(ShardMaker& maker) {
  Bench bench(maker);
  bench.succeed(Rpc::get_object, R"(["many","1",{}])");
  const Bench::Sent& get = bench.send(Rpc::get_object, R"(["many","1",{}])");
  const Bench::Sent& find = bench.send(Rpc::find_objects, kFindAll);
  bench.shard->retire();
  CHECK_FALSE(bench.shard->idle());
  CHECK_FALSE(bench.shard->healthy());
  CHECK_FALSE(bench.send(Rpc::get_object, R"(["many","1",{}])").submitted.ticket);
  bench.run([&] { return get.sink.answer.done && find.sink.answer.done; });
  CHECK(get.sink.answer.error_text() == "");
  CHECK(find.sink.answer.values.size() == kMany);
  bench.run([&] { return bench.shard->idle(); });
}

/// A shard may go while requests are under way; their sinks are not called.
void check_destruction(ShardMaker& maker) {
  Bench bench(maker);
  bench.succeed(Rpc::get_object, R"(["many","1",{}])");
  for (int i = 0; i < 20; ++i) {
    bench.send(Rpc::get_object, R"(["many","1",{}])");
    bench.send(Rpc::find_objects, kFindAll);
  }
  bench.shard.reset();
  bench.settle();
  for (const auto& sent : bench.sent) CHECK(sent.sink.answer.frames <= 1);
}

}  // namespace

void check_contract(ShardMaker& maker) {
  {
    Bench bench(maker);
    check_objects(bench);
    check_batches(bench);
    check_order(bench);
    check_streams(bench);
    check_cancel(bench);
    check_bad_arguments(bench);
    CHECK(bench.shard->status().in_flight == 0);
  }
  check_bounds(maker);
  check_retire(maker);
  check_destruction(maker);
}

}  // namespace test_support
