#include "router/serve/ownership.hpp"

#include <doctest/doctest.h>

#include "ring/ring_edit.hpp"
#include "ring/topology.hpp"
#include "router/plan/leased_vnodes.hpp"
#include "router/plan/refusal.hpp"

using namespace router;
using std::chrono::milliseconds;

namespace {

const std::string kFirst = "tcp://1.moray.lab:2020", kSecond = "tcp://2.moray.lab:2020";
const auto kNow = std::chrono::steady_clock::time_point(std::chrono::hours(1));

/// Vnodes 0, 2, 4 … are the first's.
std::shared_ptr<const ring::Ring> even_odd() {
  return ring::create_ring(ring::Algorithm::sha256, 64, {kFirst, kSecond});
}
std::shared_ptr<const Snapshot> snapshot_of(std::shared_ptr<const ring::Ring> ring) {
  return std::make_shared<const Snapshot>(Snapshot::make(std::move(ring), {}));
}
std::shared_ptr<const Snapshot> all_second() {
  return snapshot_of(remapped(*even_odd(), ring::VnodeSet::parse("0-63"), kSecond));
}

}  // namespace

TEST_CASE("ownership: whose vnodes are, and the first that is another's") {
  const auto before = snapshot_of(even_odd());
  const WorkerReads worker{before, {}};
  const auto of = [&](const char* vnodes, const std::string& pnode) {
    auto found =
        ownership(*before, std::span(&worker, 1), ring::VnodeSet::parse(vnodes), pnode, kNow);
    found.pnode_vnodes = 0;
    return found;
  };
  const auto owned = [](const char* vnodes, std::optional<Ownership::Other> other) {
    Ownership expected;
    expected.other = std::move(other);
    expected.owned = ring::VnodeSet::parse(vnodes);
    expected.none = false;
    return expected;
  };
  CHECK(of("0,2,4", kFirst) == owned("0,2,4", std::nullopt));
  CHECK(of("0,2,3,5", kFirst) == owned("0,2", Ownership::Other{3, kSecond}));
  CHECK(of("1,3", kFirst).other == Ownership::Other{1, kSecond});
  CHECK(of("1,3", kFirst).none);
  CHECK(of("1,3", kFirst).owned.empty());
  CHECK(of("1,3", "tcp://3.moray.lab:2020").none);
  CHECK_THROWS_AS(of("60-64", kFirst), Refusal);
}

TEST_CASE("ownership: a worker that plans by an older ring still counts") {
  const auto before = snapshot_of(even_odd()), after = all_second();
  const std::vector<WorkerReads> workers{{after, {}}, {before, {}}};
  const auto found = ownership(*after, workers, ring::VnodeSet::parse("0-3"), kSecond, kNow);
  CHECK(found.other == Ownership::Other{0, kFirst});
  CHECK_FALSE(found.none);
  CHECK_FALSE(ownership(*after, workers, ring::VnodeSet::parse("0-3"), kFirst, kNow).none);
  CHECK(ownership(*after, workers, ring::VnodeSet::parse("0-3"), kFirst, kNow).owned.to_text() ==
        "0,2");
  CHECK(found.owned.to_text() == "0-3");
}

TEST_CASE("ownership: reads by rings in which a vnode is the pnode's, and the oldest's age") {
  const auto before = snapshot_of(even_odd()), after = all_second();
  const std::vector<WorkerReads> workers{
      {after, {{before, 2, kNow - milliseconds(70)}, {after, 5, kNow - milliseconds(900)}}},
      {after, {{before, 1, kNow - milliseconds(300)}}}};
  const auto reads = [&](const char* vnodes, const std::string& pnode) {
    const auto found = ownership(*after, workers, ring::VnodeSet::parse(vnodes), pnode, kNow);
    return std::pair(found.reads, found.oldest_read);
  };
  CHECK(reads("0,2", kFirst) == std::pair(std::size_t{3}, milliseconds(300)));
  CHECK(reads("1,3", kFirst) == std::pair(std::size_t{0}, milliseconds(0)));
  CHECK(reads("0,2", kSecond) == std::pair(std::size_t{5}, milliseconds(900)));
  CHECK(reads("0-3", kSecond) == std::pair(std::size_t{8}, milliseconds(900)));
  const auto all = ownership(*after, workers, ring::VnodeSet::parse("0"), kSecond, kNow);
  CHECK(all.older_reads == 3);
  CHECK(all.pnode_vnodes == after->ring->vnode_count());
}

TEST_CASE("reads under way: counted by the snapshot that they were planned on") {
  ActiveRing first{snapshot_of(even_odd()), {}}, second{all_second(), {}};
  ReadsUnderWay reads;
  ReadUnderWay a, b, c;
  reads.begin(a, first, kNow);
  reads.begin(b, first, kNow - milliseconds(5));
  reads.begin(c, second, kNow);
  REQUIRE(reads.by_ring().size() == 2);
  CHECK(reads.by_ring()[0].snapshot == first.snapshot);
  CHECK(reads.by_ring()[0].count == 2);
  CHECK(reads.by_ring()[0].oldest == kNow - milliseconds(5));
  reads.end(b);
  reads.end(b);
  CHECK(reads.by_ring()[0].count == 1);
  reads.end(a);
  CHECK(reads.by_ring().size() == 1);
}

TEST_CASE("leased vnodes: a request to one of them, or to any row of its shard, needs the lease") {
  const auto ring = even_odd();
  const auto leased = LeasedVnodes::of(*ring, ring::VnodeSet::parse("2,4"), milliseconds(0));
  const Snapshot snapshot = Snapshot::make(ring, {}, nullptr, leased);
  const ring::PnodeIndex first{0}, second{1};
  CHECK(serving_lease(snapshot, first, ring::Vnode{2}) == leased->lease);
  CHECK(serving_lease(snapshot, first, ring::Vnode{6}) == nullptr);
  CHECK(serving_lease(snapshot, first, std::nullopt) == leased->lease);
  CHECK(serving_lease(snapshot, second, std::nullopt) == nullptr);
  CHECK(serving_lease(Snapshot::make(ring, {}), first, std::nullopt) == nullptr);
  CHECK(leased->lease->over());
  leased->lease->set_end(backends::lease_clock() + std::chrono::hours(1));
  CHECK_FALSE(leased->lease->over());
}
