#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "accounting_client.hpp"
#include "fast/encoder.hpp"
#include "json/document.hpp"
#include "ring/key_transform.hpp"
#include "ring/topology.hpp"
#include "router/serve/dispatcher.hpp"
#include "router/serve/single_exchange.hpp"
#include "stand_in_shard.hpp"
#include "tests/support/choices.hpp"

namespace router {

/// Requests of several clients through dispatcher and exchanges, with shards that answer, fail and
/// are lost, gates that hold and open, deadlines that pass, and clients that leave, by choices.
class DispatcherRun {
  static constexpr std::uint32_t kVnodes = 16;
  static constexpr std::size_t kShards = 3;
  static constexpr int kEvents = 120;
  using Client = AccountingClient;

 public:
  explicit DispatcherRun(Choices choices)
      : choices_(choices), wheel_(Exchange::Clock::now()),
        context_(std::make_shared<Bounds>(
            BoundValues{.memory_bytes = choices_.one_of(2) == 0 ? std::size_t{1} << 30 : 9'000,
                        .held_writes = 6,
                        .held_bytes = 4096})) {
    context_.wheel = &wheel_;
    context_.held.configure({.time_max = std::chrono::seconds(5)});
    for (StandInShard& shard : shards_) {
      shard.steps = one_of(2) == 0;
      shard.on_submit = [this](const backends::Request& request, const std::string& payload) {
        judge_submit(request, payload);
      };
    }
    for (auto& turns : turns_) turns = new_turns();
    context_.turns.schedule_by(
        [](void* run) { static_cast<DispatcherRun*>(run)->turns_due_ = true; }, this);
    keys_ = one_of(2) == 0 ? 40 : 2;  // the order of puts shows where there are few
    publish({});
    clients_.resize(3);
    for (auto& client : clients_) client = new_client();
  }

  std::string run() {
    for (int i = 0; i < kEvents && wrong_.empty() && choices_.more(); ++i) {
      event();
      end_of_turn();
    }
    finish();
    return wrong_;
  }

 private:
  std::uint32_t one_of(std::uint32_t count) { return choices_.one_of(count); }
  void fail(const std::string& what) {
    if (wrong_.empty()) wrong_ = what;
  }

  /// Of some shards few requests may be under way, and the others wait for their turn.
  std::unique_ptr<ShardTurns> new_turns() {
    backends::Places places{.streams = 1 + one_of(4), .changes = 1 + one_of(4)};
    places.shared = one_of(2) == 0;
    places.paused_leave = one_of(2) == 0;
    if (one_of(2) == 0) places.changes_leave = std::chrono::seconds(1);
    const std::size_t window = one_of(2) == 0 ? 1 + one_of(3) : 1000;
    return std::make_unique<ShardTurns>(context_.turns, places, turns::ShardWindow(window));
  }

  std::unique_ptr<Client> new_client() const {
    auto client = std::make_unique<Client>();
    client->shard_of = [this](const std::string& key) {
      const Snapshot& snapshot = *context_.ring->snapshot;
      const auto location = snapshot.ring->locate(ring::transform_key("b", key));
      return snapshot.pnodes[number(location->pnode)].name;
    };
    return client;
  }

  void event() {
    switch (one_of(9)) {
      case 0:
      case 1:
      case 2: request(); return;
      case 3:
      case 4: answer(); return;
      case 5: change_gate(); return;
      case 6: trouble(); return;
      case 7: client_event(); return;
      case 8: shards_[one_of(kShards)].up = one_of(4) != 0; return;
    }
  }

  void request() {
    Client& client = *clients_[one_of(3)];
    const std::uint32_t id = next_id_++;
    const std::string key = "K" + std::to_string(one_of(keys_));
    const std::string named = R"(["b",")" + key + "\",";
    const std::string numbered = R"({"n":)" + std::to_string(id) + "}";
    asked_by_[id] = &client;
    struct Kind {
      const char* rpc;
      std::string d;
      bool keyed = false;
    };
    const std::string by_hashkey = R"-(["b","(n=1)",{"hashkey":")-" + key + "\"}]";
    const std::string requests = R"([{"bucket":"b","key":")" + key + R"(","value":{}}])";
    const Kind kinds[] = {{"getObject", named + "{}]", true},
                          {"putObject", named + numbered + ",{}]", true},
                          {"putObject", named + numbered + R"(,{"timeout":0}])", true},
                          {"delObject", named + "{}]", true},
                          {"batch", "[" + requests + ",{}]", true},
                          {"findObjects", by_hashkey, true},
                          {"deleteMany", by_hashkey},
                          {"sql", R"(["SELECT 1",[],{}])"},
                          {"createBucket", R"(["b",{},{}])"},
                          {"getBucket", R"([{},"b"])"},
                          {"ping", R"([{"deep":true}])"},
                          {"version", "[{}]"},
                          {"putObject", "[]"}};
    const bool put = keys_ < 40 && one_of(2) == 0;
    const Kind& kind = kinds[put ? 1 : one_of(std::size(kinds))];
    const std::string payload =
        R"({"m":{"uts":1,"name":")" + std::string(kind.rpc) + R"("},"d":)" + kind.d + "}";
    fast::Frame frame;
    frame.message_id = id;
    frame.payload = payload;
    frame.checksum = 0;
    client.unanswered.emplace(id, kind.keyed ? key : "");
    dispatcher_.begin_batch();
    if (dispatcher_.take(frame, client) == Dispatched::broken) fail("a request counts as broken");
  }

  /// The key of a request, from its payload; in each answer, so that a wrong one shows.
  static std::string reply_to(const StandInShard::Pending& to) {
    const std::size_t at = to.payload.find("\"K");
    const std::size_t begin = at == std::string::npos ? to.payload.size() : at + 1;
    const std::string key = to.payload.substr(begin, to.payload.find('"', begin) - begin);
    return R"({"m":{"uts":1,"name":")" + std::string(backends::to_string(to.rpc)) +
           R"("},"d":[{"s":"other-)" + key + "\"}]}";
  }

  void answer() {
    StandInShard& shard = shards_[one_of(kShards)];
    if (shard.pending.empty()) return;
    auto chosen = shard.pending.begin();
    std::advance(chosen, one_of(static_cast<std::uint32_t>(shard.pending.size())));
    const std::uint64_t ticket = chosen->first;
    if (chosen->second.two_steps && one_of(3) != 0) {
      chosen->second.sink->on_ready();
      return;
    }
    const std::string name(backends::to_string(chosen->second.rpc));
    const std::string data = reply_to(chosen->second);
    const std::string end = R"({"m":{"uts":1,"name":")" + name + R"("},"d":[]})";
    const std::string error =
        R"({"m":{"uts":1,"name":")" + name + R"("},"d":{"name":"E","message":"m"}})";
    backends::Reply reply;
    switch (one_of(5)) {
      case 0:
      case 1:
        reply.payload = data;
        chosen->second.sink->on_data(reply);
        return;
      case 2:
        reply.payload = one_of(2) == 0 ? end : data;
        return shard.finish(ticket, [&](backends::ReplySink& sink) { sink.on_end(reply); });
      case 3:
        reply.payload = one_of(8) == 0 ? std::string_view("nonsense") : std::string_view(error);
        return shard.finish(ticket, [&](backends::ReplySink& sink) { sink.on_error(reply); });
      case 4:
        return shard.finish(ticket, [&](backends::ReplySink& sink) {
          sink.on_failure({one_of(2) == 0 ? backends::FailureKind::connection_lost
                                          : backends::FailureKind::overloaded,
                           "failed"});
        });
    }
  }

  void change_gate() {
    Gate gate;
    for (std::uint32_t vnode = 0; vnode < kVnodes; ++vnode) {
      const ring::VnodeSet one = ring::VnodeSet::parse(std::to_string(vnode));
      if (one_of(3) == 0)
        gate.held = gate.held.united(one);
      else if (one_of(8) == 0)
        gate.refused = gate.refused.united(one);
    }
    if (one_of(4) == 0) replace_turns(turns_[one_of(kShards)]);
    publish(one_of(3) == 0 ? Gate() : gate);
    let_go();
  }

  /// A shard leaves the ring, and another one comes.
  void replace_turns(std::unique_ptr<ShardTurns>& turns) {
    turns->retire();
    retired_.push_back(std::exchange(turns, new_turns()));
  }

  /// As the worker has it.
  void let_go() {
    context_.turns.leave_retired();
    for (const auto& turns : retired_)
      if (turns->waiting() != 0) fail("requests wait at a shard that has left");
    context_.turns.look_at_gate();
    context_.held.let_go();
  }

  void publish(Gate gate) {
    static const auto ring = ring::create_ring(
        ring::Algorithm::sha256, kVnodes,
        {"tcp://1.moray.lab:2020", "tcp://2.moray.lab:2020", "tcp://3.moray.lab:2020"});
    auto* active = new ActiveRing;
    active->snapshot = std::make_shared<const Snapshot>(
        Snapshot::make(ring, {}, std::make_shared<const Gate>(std::move(gate))));
    for (StandInShard& shard : shards_) active->shards.push_back(&shard);
    for (const auto& turns : turns_) active->turns.push_back(turns.get());
    context_.ring = ActiveRingPointer(active);
  }

  /// A shard's connections are lost, or every deadline passes, or those that wait for a turn have
  /// waited too long.
  void trouble() {
    if (one_of(4) != 0) return shards_[one_of(kShards)].lose_all();
    if (one_of(2) == 0) return context_.turns.tick(now_ += std::chrono::milliseconds(600), {}, {});
    wheel_.advance(now_ += std::chrono::seconds(one_of(2) == 0 ? 6 : 7200));
  }

  void client_event() {
    Client& client = *clients_[one_of(3)];
    switch (one_of(3)) {
      case 0:  // it leaves, as Session::close has it
        for (const auto& [id, exchange] : std::exchange(client.in_flight, {})) exchange->abandon();
        client.read();
        client.unanswered.clear();
        clients_.erase(std::find_if(clients_.begin(), clients_.end(),
                                    [&](const auto& each) { return each.get() == &client; }));
        clients_.push_back(new_client());
        return;
      case 1: client.full = true; return;
      case 2: drained(client); return;
    }
  }

  static void drained(Client& client) {
    client.full = false;
    if (!std::exchange(client.paused, false)) return;
    const auto waiting = client.in_flight;
    for (const auto& [id, exchange] : waiting) exchange->resume();
  }

  /// As the worker has it.
  void end_of_turn() {
    for (SingleExchange* exchange : std::exchange(context_.retries, {})) exchange->retry();
    if (turns_due_ && one_of(3) != 0) run_turns();
    for (const auto& client : clients_) {
      fail(client->read());
      std::set<std::uint32_t> known;
      for (const auto& [id, exchange] : client->in_flight) known.insert(id);
      for (const auto& [id, key] : client->unanswered)
        if (!known.contains(id)) fail("request " + std::to_string(id) + " is forgotten unanswered");
      if (known.size() != client->unanswered.size()) fail("an answered request is kept");
    }
    std::ptrdiff_t held = 0;
    for (const auto& client : clients_) held += client->held;
    if (static_cast<std::size_t>(held) != context_.held.count())
      fail("clients have " + std::to_string(held) + " held writes, the worker " +
           std::to_string(context_.held.count()));
    if (context_.held.count() > 6) fail("more writes are held than may be");
  }

  void run_turns() {
    turns_due_ = false;
    context_.turns.run();
  }

  /// A write reaches no vnode that the gate of today keeps from it, and no other shard than its
  /// key's.
  void judge_submit(const backends::Request& request, const std::string& payload) {
    json::Document document;
    if (document.parse(payload)) return fail("a payload that is no JSON: " + payload);
    const Method& method = method_of(request.rpc);
    if (!method.write) return;
    const Gate& gate = *context_.ring->snapshot->gate;
    if (method.route == Route::all_shards && gate.any() && !goes_on(request))
      return fail("a write to all shards passes a block");
    if (method.route != Route::by_key) return;
    const json::Value key = *std::next(document.root().find("d")->elements().begin());
    const auto location =
        context_.ring->snapshot->ring->locate(ring::transform_key("b", key.raw_string()));
    if (gate.mode(location->vnode) != GateMode::open) fail("a write passes a block: " + payload);
    if (request.affinity != number(location->vnode)) fail("a write has another's vnode");
    if (request.rpc == backends::Rpc::put_object) judge_order(document, key);
  }
  /// A client's puts of one key come in the order in which it asked, though held, or in line.
  void judge_order(const json::Document& document, json::Value key) {
    const json::Value value = *std::next(document.root().find("d")->elements().begin(), 2);
    const auto id = static_cast<std::uint32_t>(std::stoul(std::string(value.find("n")->text())));
    std::uint32_t& last = last_put_[{asked_by_.at(id), std::string(key.raw_string())}];
    if (id <= last) fail("a client's puts of one key have changed places");
    last = id;
  }
  /// A change of buckets may have begun before the block, which waits for all of it.
  static bool goes_on(const backends::Request& request) {
    return request.rpc == backends::Rpc::create_bucket;
  }

  /// Everybody is answered in the end, and nothing is left.
  void finish() {
    publish({});
    let_go();
    for (const auto& client : clients_) drained(*client);
    for (int i = 0; i < kEvents; ++i) {
      for (StandInShard& shard : shards_) shard.lose_all();
      run_turns();
      end_of_turn();
    }
    for (const auto& client : clients_)
      if (!client->unanswered.empty()) fail("a request is never answered");
    if (context_.live_exchanges != 0) fail("exchanges are left");
    if (context_.turns.waiting() != 0) fail("requests wait for their turn");
    for (auto& turns : turns_) retired_.push_back(std::move(turns));
    for (const auto& turns : retired_) {
      if (turns->bytes() != 0) fail("bytes are under way that nobody waits for");
      using Long = ShardTurns::Long;
      if (turns->must_wait() || turns->must_wait(this, Long::stream) ||
          turns->must_wait(this, Long::change))
        fail("a place is left taken");
    }
    if (context_.leases.running() != 0) fail("leases are left");
    if (!context_.reads.by_ring().empty()) fail("reads are left");
    if (context_.held.count() != 0 || context_.held.bytes() != 0) fail("held writes are left");
    if (wheel_.armed() != 0) fail("deadlines are left");
    if (context_.memory.held() != 0) fail("bytes are left that nobody holds");
    if (context_.bounds->held_writes.used() != 0 || context_.bounds->held_bytes.used() != 0)
      fail("room for held writes is left taken");
  }

  Choices choices_;
  DeadlineWheel wheel_;
  Exchange::Clock::time_point now_ = Exchange::Clock::now();
  StandInShard shards_[kShards];
  DispatchContext context_;
  std::unique_ptr<ShardTurns> turns_[kShards];
  std::vector<std::unique_ptr<ShardTurns>> retired_;
  bool turns_due_ = false;
  std::uint32_t keys_ = 40;
  std::map<std::uint32_t, const Client*> asked_by_;  // by message id
  std::map<std::pair<const Client*, std::string>, std::uint32_t> last_put_;
  Dispatcher dispatcher_{context_};
  std::vector<std::unique_ptr<Client>> clients_;
  std::uint32_t next_id_ = 1;
  std::string wrong_;
};

}  // namespace router
