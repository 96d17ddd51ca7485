#include "tests/integration/ring_model.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <tuple>

#include "backends/moray/moray_shard.hpp"
#include "ring/generation_store.hpp"
#include "ring/key_transform.hpp"
#include "ring/topology.hpp"
#include "ring/vnode_set.hpp"
#include "tests/contract/shard_client.hpp"
#include "tests/integration/embedded_system.hpp"
#include "tests/integration/ring_ledger.hpp"
#include "tests/support/admin_client.hpp"
#include "tests/support/router_process.hpp"
#include "tests/support/test_data.hpp"

namespace integration {
namespace {

using namespace test_support;
using backends::Rpc;
using backends::moray::MorayShard;
using nlohmann::json;

constexpr std::uint32_t kVnodes = 64;
constexpr int kKeys = 40;
constexpr int kSteps = 400;
const std::vector<std::string> kPnodes{"a", "b", "c"};

class Run {
 public:
  Run(unsigned seed, Totals& totals) : random_(seed), totals_(totals) {
    const auto ring = ring::create_ring(ring::Algorithm::sha256, kVnodes, kPnodes);
    router_ = start_over_embedded_shards(directory_.path(), *ring, kPnodes);
    for (std::uint32_t vnode = 0; vnode < kVnodes; ++vnode)
      now().owner[vnode] = ring->pnode_name(ring->owner(static_cast<ring::Vnode>(vnode)));
    for (int i = 0; i < kKeys; ++i) {
      keys_.push_back(std::make_unique<Key>());
      keys_.back()->name = "k" + std::to_string(i);
      keys_.back()->vnode =
          ring::number(ring->locate(ring::transform_key("b", keys_.back()->name))->vnode);
    }
    for (auto& session : sessions_) session = connect_to(*router_, loop_);
    REQUIRE(ShardClient(*sessions_[0], loop_)
                .call(Rpc::create_bucket, R"(["b",{},{}])")
                .error_text()
                .empty());
  }

  void run() {
    for (int step = 0; step < kSteps; ++step) {
      CAPTURE(step);
      one_step();
      check_answered();
    }
    finish();
    CHECK(router_->end() == "");
  }

 private:
  [[nodiscard]] std::string socket() const { return admin_socket_of(directory_.path()); }
  Era& now() { return ledger_.now(); }
  std::size_t dice(std::size_t sides) { return random_() % sides; }

  MorayShard& session_of(const Key& key) { return *sessions_[key.vnode % sessions_.size()]; }

  void submit(Key& key, Rpc rpc, const std::string& arguments, CollectingSink& sink) {
    submit_to(session_of(key), rpc, arguments, sink);
  }

  void one_step() {
    const std::size_t roll = dice(100);
    if (roll < 60) return request();
    if (roll < 76) return run_for(loop_, std::chrono::milliseconds(dice(4)));
    if (roll < 81) return block();
    if (roll < 86) return unblock();
    if (roll < 90) return remap();
    if (roll < 92) return prepare_and_activate();
    if (roll < 94) return rollback();
    if (roll < 96) return set_data();
    if (roll < 98) return reload();
    lose_session();
  }

  void request() {
    Key& key = *keys_[dice(keys_.size())];
    const std::size_t kind = dice(100);
    const std::string name = "\"b\",\"" + key.name + "\"";
    if (kind < 20) {
      reads_.emplace_back();
      Read& read = reads_.back();
      read.key = &key;
      read.sent = ledger_.era();
      read.writes_before = key.writes.size();
      for (const std::string& pnode : kPnodes) read.known[pnode] = Ledger::last_certain(key, pnode);
      submit(key, Rpc::get_object, "[" + name + ",{\"noCache\":true}]", read.sink);
      ++totals_.reads;
      return;
    }
    Write& write = key.writes.emplace_back();
    write.sent = ledger_.era();
    write.value = kind < 30 ? kDeleted : next_value_++;
    ++key.open;
    ++totals_.writes;
    if (now().held.contains(key.vnode)) ++totals_.held;
    const std::string value = "{\"v\":" + std::to_string(write.value) + "}";
    if (kind < 30)
      submit(key, Rpc::del_object, "[" + name + ",{}]", write.sink);
    else if (kind < 45)
      submit(key, Rpc::batch,
             R"([[{"bucket":"b","key":")" + key.name + "\",\"value\":" + value + "}],{}]",
             write.sink);
    else
      submit(key, Rpc::put_object, "[" + name + "," + value + ",{}]", write.sink);
  }

  void check_answered() {
    for (const auto& key : keys_)
      for (Write& write : key->writes)
        if (write.sink.answer.done && write.possible.empty() && !write.certain)
          take_answer(*key, write);
    for (auto read = reads_.begin(); read != reads_.end();) {
      if (read->sink.answer.done) {
        check_read(*read);
        read = reads_.erase(read);
      } else {
        ++read;
      }
    }
  }

  void take_answer(Key& key, Write& write) {
    const Answer& answer = write.sink.answer;
    if (write.taken) return;
    write.taken = true;
    --key.open;
    CAPTURE(key.name);
    if (answer.failure) {  // its session was lost
      ++totals_.lost;
      write.possible = ledger_.owners_since(key.vnode, write.sent);
      write.strays = true;
      return;
    }
    const std::string error = answer.error_text();
    if (error.starts_with("ReadOnlyError")) {
      CHECK(ledger_.could_be_refused(key.vnode, write.sent));
      ++totals_.refused;
      return;  // it is nowhere
    }
    const bool none_to_delete = write.value == kDeleted && error.starts_with("ObjectNotFoundError");
    if (!none_to_delete) REQUIRE(error == "");
    const std::set<std::string> owners = ledger_.owners_since(key.vnode, write.sent);
    write.certain = true;
    write.possible = owners;
    const auto* node = answer.values.empty() ? nullptr : answer.values[0].get("_node");
    if (node == nullptr) return;
    write.pnode = *node->get("pnode")->string();
    CHECK(owners.contains(*write.pnode));  // or it was sent where no ring said
    write.possible = {*write.pnode};
  }

  static int value_of(const Answer& answer) {
    if (answer.error_text().starts_with("ObjectNotFoundError")) return kDeleted;
    REQUIRE(answer.error_text() == "");
    return static_cast<int>(*answer.values[0].get("value")->get("v")->number());
  }

  void check_read(const Read& read) {
    const Answer& answer = read.sink.answer;
    if (answer.failure) return;
    CAPTURE(read.key->name);
    const int value = value_of(answer);
    const std::set<std::string> owners = ledger_.owners_since(read.key->vnode, read.sent);
    bool good = false;
    for (const std::string& pnode : owners)
      good = good || ledger_.explained(*read.key, pnode, value, read.known.at(pnode));
    CHECK(good);
    if (value == kDeleted) return;
    CHECK(owners.contains(*answer.values[0].get("_node")->get("pnode")->string()));
  }

  ring::VnodeSet some_vnodes() {
    const auto first = static_cast<std::uint32_t>(dice(kVnodes));
    return ring::VnodeSet::of_ranges(
        {{first, std::min(kVnodes - 1, first + static_cast<std::uint32_t>(dice(12)))}});
  }

  template <typename Change>
  void next_era(Change change) {
    change(ledger_.next_era());
  }

  /// Both while a change is on its way and after it, requests may see the old or the new: the era
  /// after is there from before the change is asked for.
  void block() {
    const ring::VnodeSet vnodes = some_vnodes();
    const bool hold = dice(3) > 0;
    next_era([&](Era& era) {
      vnodes.each([&](ring::Vnode vnode) {
        (hold ? era.held : era.refused).insert(number(vnode));
        (hold ? era.refused : era.held).erase(number(vnode));
      });
    });
    const json report = tell_admin(
        socket(), "block",
        {{"vnodes", vnodes.to_text()}, {"mode", hold ? "hold" : "refuse"}, {"wait", true}});
    CHECK(report.at("drained") == true);
    CHECK(report.at("indeterminate").empty());
    ++totals_.blocks;
    if (dice(2) == 0) nothing_moves_behind(vnodes);
  }

  /// What blocked vnodes hold stays as it is: the last earlier write has ended, and none begins.
  void nothing_moves_behind(const ring::VnodeSet& vnodes) {
    std::map<std::string, int> before;
    MorayShard reader(loop_,
                      backends::moray::fixed_addresses(
                          {{boost::asio::ip::make_address("127.0.0.1"), router_->port()}}),
                      {});
    ShardClient client(reader, loop_);
    for (int look = 0; look < 2; ++look) {
      for (const auto& key : keys_) {
        if (!vnodes.contains(static_cast<ring::Vnode>(key->vnode))) continue;
        const int value = value_of(
            client.call(Rpc::get_object, "[\"b\",\"" + key->name + "\",{\"noCache\":true}]"));
        if (look == 0)
          before[key->name] = value;
        else
          CHECK(before.at(key->name) == value);
      }
      if (look > 0) break;
      for (int i = 0; i < 8; ++i) request();
      run_for(loop_, std::chrono::milliseconds(3));
    }
  }

  void unblock() {
    const ring::VnodeSet vnodes = some_vnodes();
    const bool all = dice(2) == 0;
    next_era([&](Era& era) {
      for (auto* set : {&era.held, &era.refused})
        std::erase_if(*set, [&](std::uint32_t vnode) {
          return all || vnodes.contains(static_cast<ring::Vnode>(vnode));
        });
    });
    tell_admin(socket(), "unblock", all ? json{{"all", true}} : json{{"vnodes", vnodes.to_text()}});
  }

  void remap() {
    const ring::VnodeSet vnodes = some_vnodes();
    const std::string pnode = kPnodes[dice(kPnodes.size())];
    next_era([&](Era& era) {
      vnodes.each([&](ring::Vnode vnode) { era.owner[number(vnode)] = pnode; });
    });
    tell_admin(socket(), "remap", {{"vnodes", vnodes.to_text()}, {"pnode", pnode}});
    remember_ring();
    ++totals_.changes;
  }

  void prepare_and_activate() {
    const ring::VnodeSet vnodes = some_vnodes();
    const std::string pnode = kPnodes[dice(kPnodes.size())];
    const json prepared =
        ask_admin(socket(), "prepare", {{"vnodes", vnodes.to_text()}, {"pnode", pnode}});
    if (!prepared.at("ok").get<bool>()) {
      CHECK(prepared.at("error").at("code") == "unchanged");
      return;
    }
    if (dice(4) == 0) {
      tell_admin(socket(), "abandon", {{"lease", prepared.at("result").at("lease")}});
      return;
    }
    request();
    next_era([&](Era& era) {
      vnodes.each([&](ring::Vnode vnode) { era.owner[number(vnode)] = pnode; });
    });
    tell_admin(socket(), "activate", {{"lease", prepared.at("result").at("lease")}});
    remember_ring();
    ++totals_.changes;
  }

  void set_data() {
    const ring::VnodeSet vnodes = some_vnodes();
    const bool mark = dice(2) == 0;
    next_era([&](Era& era) {
      vnodes.each([&](ring::Vnode vnode) {
        if (mark)
          era.marked.insert(number(vnode));
        else
          era.marked.erase(number(vnode));
      });
    });
    tell_admin(socket(), "set-data",
               {{"vnodes", vnodes.to_text()}, {"data", mark ? json("ro") : json(1)}});
    remember_ring();
    ++totals_.changes;
  }

  void remember_ring() {
    rings_[tell_admin(socket(), "status").at("ring").at("generation")] = {now().owner,
                                                                          now().marked};
  }

  void rollback() {
    if (rings_.empty()) return;
    std::set<std::uint64_t> kept;
    for (const json& ring : tell_admin(socket(), "rings"))
      kept.insert(ring.at("generation").get<std::uint64_t>());
    std::erase_if(rings_, [&](const auto& entry) { return !kept.contains(entry.first); });
    if (rings_.empty()) return;
    const auto wanted = std::next(rings_.begin(), static_cast<std::ptrdiff_t>(dice(rings_.size())));
    next_era([&](Era& era) { std::tie(era.owner, era.marked) = wanted->second; });
    tell_admin(socket(), "rollback", {{"generation", wanted->first}});
    ++totals_.changes;
  }

  void reload() { tell_admin(socket(), "reload"); }

  /// What it had in flight is lost to us; the router may have done it, or do it still.
  void lose_session() {
    auto& session = sessions_[dice(sessions_.size())];
    session.reset();
    run_for(loop_, std::chrono::milliseconds(0));
    for (const auto& key : keys_) {
      if (sessions_[key->vnode % sessions_.size()] != nullptr) continue;
      for (Write& write : key->writes)
        if (!write.sink.answer.done) {
          write.sink.answer.failure = backends::Failure{};
          write.sink.answer.done = true;
        }
    }
    for (Read& read : reads_)
      if (sessions_[read.key->vnode % sessions_.size()] == nullptr && !read.sink.answer.done) {
        read.sink.answer.failure = backends::Failure{};
        read.sink.answer.done = true;
      }
    session = connect_to(*router_, loop_);
  }

  void finish() {
    next_era([](Era& era) {
      era.held.clear();
      era.refused.clear();
    });
    tell_admin(socket(), "unblock", {{"all", true}});
    run_until(loop_, [&] {
      check_answered();
      return reads_.empty() && std::all_of(keys_.begin(), keys_.end(),
                                           [](const auto& key) { return key->open == 0; });
    });
    const std::string all = "0-" + std::to_string(kVnodes - 1);
    for (const std::string& pnode : kPnodes) {
      tell_admin(socket(), "remap", {{"vnodes", all}, {"pnode", pnode}});
      ShardClient client(*sessions_[0], loop_);
      for (const auto& key : keys_) {
        CAPTURE(pnode);
        CAPTURE(key->name);
        const int value = value_of(
            client.call(Rpc::get_object, "[\"b\",\"" + key->name + "\",{\"noCache\":true}]"));
        CAPTURE(value);
        CHECK(ledger_.explained(*key, pnode, value, Ledger::last_certain(*key, pnode)));
      }
    }
  }

  std::mt19937 random_;
  Totals& totals_;
  TemporaryDirectory directory_;
  std::unique_ptr<RouterProcess> router_;
  boost::asio::io_context loop_;
  std::vector<std::unique_ptr<Key>> keys_;  // sinks in them outlive the sessions
  std::list<Read> reads_;
  std::array<std::unique_ptr<MorayShard>, 3> sessions_;
  Ledger ledger_;
  std::map<std::uint64_t, std::pair<std::map<std::uint32_t, std::string>, std::set<std::uint32_t>>>
      rings_;  // by generation
  int next_value_ = 1;
};

}  // namespace

void run_seed(unsigned seed, Totals& totals) { Run(seed, totals).run(); }

}  // namespace integration
