// kill -9 at any instant of a change of ring: afterwards the router serves the old ring or the new
// one, whole, and says which. MORAY_ROUTER_KILLS: how often for each kind of change (20).
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <thread>

#include "ring/generation_store.hpp"
#include "ring/leveldb_store.hpp"
#include "ring/ring_edit.hpp"
#include "ring/topology.hpp"
#include "tests/support/admin_client.hpp"
#include "tests/support/router_process.hpp"
#include "tests/support/test_data.hpp"

using namespace test_support;
using nlohmann::json;

namespace {

constexpr std::uint32_t kVnodes = 5000;

int rounds() {
  const char* wanted = std::getenv("MORAY_ROUTER_KILLS");
  return wanted == nullptr ? 20 : std::atoi(wanted);
}

/// A router over three embedded shards, and its ring.
class Site {
 public:
  explicit Site(bool store) {
    const auto ring = ring::create_ring(ring::Algorithm::sha256, kVnodes, {"a", "b", "c"});
    location_ = directory_.path() / "ring";
    if (store) {
      ring::GenerationStore rings(location_);
      rings.activate(rings.stage_ring(*ring).generation);
    } else {
      ring::create_leveldb(location_, *ring);
    }
    json config{{"listen", {{"port", 0}}},         {"monitor", {{"port", 0}}},
                {"status", {{"port", 0}}},         {"workers", 1},
                {"admin", {{"socket", socket()}}}, {"ring", {{"location", location_.string()}}},
                {"shards", json::array()}};
    for (const char* pnode : {"a", "b", "c"})
      config["shards"].push_back({{"pnode", pnode},
                                  {"backend", "embedded"},
                                  {"sync", false},
                                  {"path", (directory_.path() / pnode).string()}});
    std::ofstream(directory_.path() / "config.json") << config;
  }

  [[nodiscard]] std::vector<std::string> arguments() const {
    return {"serve", "--config", directory_.path() / "config.json"};
  }
  [[nodiscard]] std::string socket() const { return directory_.path() / "admin.sock"; }

 private:
  TemporaryDirectory directory_;
  std::filesystem::path location_;
};

/// One change; what it would answer is no matter.
using Change = std::function<void(const std::string& socket, std::mt19937& random)>;

std::string some_vnodes(std::mt19937& random) {
  const auto first = random() % (kVnodes - 500);
  return std::to_string(first) + "-" + std::to_string(first + random() % 500);
}

const char* some_pnode(std::mt19937& random) {
  static constexpr const char* kPnodes[] = {"a", "b", "c"};
  return kPnodes[random() % 3];
}

/// How long the change takes here, so that kills fall all over it.
std::chrono::microseconds usual_time(const std::string& socket, std::mt19937& random,
                                     const Change& change) {
  std::chrono::microseconds longest{1};
  for (int i = 0; i < 3; ++i) {
    const auto began = std::chrono::steady_clock::now();
    change(socket, random);
    longest = std::max(longest, std::chrono::duration_cast<std::chrono::microseconds>(
                                    std::chrono::steady_clock::now() - began));
  }
  return longest;
}

void kill_during(bool store, const Change& change) {
  const Site site(store);
  std::mt19937 random(20261121);
  int changed = 0;
  auto router = std::make_unique<RouterProcess>(site.arguments());
  const auto usual = usual_time(site.socket(), random, change);
  for (int round = 0; round < rounds(); ++round) {
    CAPTURE(round);
    const std::string before = tell_admin(site.socket(), "status").at("ring").at("digest");
    const auto delay =
        std::chrono::microseconds(random() % static_cast<std::uint64_t>(usual.count() * 5 / 4 + 1));
    std::string promised;  // the digest of a change that was acknowledged
    const auto seed = static_cast<std::uint32_t>(random());
    std::thread changing([&] {
      try {
        std::mt19937 own(seed);
        change(site.socket(), own);
        promised = tell_admin(site.socket(), "status").at("ring").at("digest");
      } catch (const std::exception&) {
        // killed meanwhile
      }
    });
    std::this_thread::sleep_for(delay);
    router->kill();
    changing.join();
    router =
        std::make_unique<RouterProcess>(site.arguments());  // every check of the ring is made here
    const json status = tell_admin(site.socket(), "status");
    const std::string after = status.at("ring").at("digest");
    CHECK(router->ring_digest() == after);
    if (!promised.empty()) CHECK(after == promised);
    CHECK((router->generation() > 0) == store);
    // Nothing is left that stands in the way of the same change; where it was done before the kill,
    // it was done whole: doing it again changes nothing.
    std::mt19937 again(seed);
    change(site.socket(), again);
    if (after == before) continue;
    ++changed;
    CHECK(tell_admin(site.socket(), "status").at("ring").at("digest") == after);
  }
  MESSAGE("changed before the kill: " << changed << " of " << rounds());
  CHECK(router->end() == "");
}

}  // namespace

TEST_CASE("kill -9 during a remap of a plain ring") {
  kill_during(false, [](const std::string& socket, std::mt19937& random) {
    tell_admin(socket, "remap", {{"vnodes", some_vnodes(random)}, {"pnode", some_pnode(random)}});
  });
}

TEST_CASE("kill -9 during set-data of a plain ring") {
  kill_during(false, [](const std::string& socket, std::mt19937& random) {
    tell_admin(socket, "set-data",
               {{"vnodes", some_vnodes(random)},
                {"data", random() % 2 == 0 ? json("ro") : json(random() % 9)}});
  });
}

TEST_CASE("kill -9 during a remap in a store") {
  kill_during(true, [](const std::string& socket, std::mt19937& random) {
    tell_admin(socket, "remap", {{"vnodes", some_vnodes(random)}, {"pnode", some_pnode(random)}});
  });
}

TEST_CASE("kill -9 during a rollback") {
  kill_during(true, [](const std::string& socket, std::mt19937& random) {
    const json rings = tell_admin(socket, "rings");
    if (rings.size() < 4) {
      tell_admin(socket, "remap", {{"vnodes", some_vnodes(random)}, {"pnode", some_pnode(random)}});
      return;
    }
    tell_admin(socket, "rollback",
               {{"generation", rings[random() % rings.size()].at("generation")}});
  });
}

TEST_CASE("kill -9 during prepare and activate") {
  kill_during(true, [](const std::string& socket, std::mt19937& random) {
    const json prepared = ask_admin(
        socket, "prepare", {{"vnodes", some_vnodes(random)}, {"pnode", some_pnode(random)}});
    if (prepared.at("ok").get<bool>())
      tell_admin(socket, "activate", {{"lease", prepared.at("result").at("lease")}});
    else if (prepared.at("error").at("code") != "unchanged")
      throw std::runtime_error(prepared.dump());
  });
}
