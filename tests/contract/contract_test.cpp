// The same contract for every kind of shard.
#include "tests/contract/contract.hpp"

#include <fstream>

#include <doctest/doctest.h>

#include "backends/embedded/embedded_shard.hpp"
#include "backends/embedded/owners.hpp"
#include "backends/fake/fake_shard.hpp"
#include "backends/moray/moray_shard.hpp"
#include "backends/postgres/postgres_shard.hpp"
#include "ring/leveldb_store.hpp"
#include "ring/topology.hpp"
#include "tests/contract/shard_client.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/support/router_process.hpp"
#include "tests/support/test_data.hpp"

using namespace test_support;
using backends::Shard;

namespace {

class EmbeddedMaker : public ShardMaker {
 public:
  std::unique_ptr<Shard> make(boost::asio::io_context& loop, std::size_t in_flight_max) override {
    if (owner_ == nullptr) owner_ = owners_.open({directory_.path() / "shard"}, false);
    return std::make_unique<backends::embedded::EmbeddedShard>(loop, owner_, "shard",
                                                               in_flight_max);
  }

 private:
  TemporaryDirectory directory_;
  backends::embedded::Owners owners_;
  std::shared_ptr<backends::embedded::Owner> owner_;
};

class FakeMaker final : public EmbeddedMaker {
 public:
  std::unique_ptr<Shard> make(boost::asio::io_context& loop, std::size_t in_flight_max) override {
    return std::make_unique<backends::fake::FakeShard>(loop,
                                                       EmbeddedMaker::make(loop, in_flight_max));
  }
};

/// A moray shard whose moray is another moray-router, over an embedded shard.
class RouterMaker final : public ShardMaker {
 public:
  RouterMaker() {
    const std::string pnode = "tcp://1.moray.contract:2020";
    const auto ring = directory_.path() / "ring";
    ring::create_leveldb(ring, *ring::create_ring(ring::Algorithm::sha256, 64, {pnode}));
    const auto config = directory_.path() / "config.json";
    std::ofstream(config)
        << R"({"listen":{"port":0},"monitor":{"port":0},"status":{"port":0},"workers":2,"admin":{"socket":")"
        << (directory_.path() / "admin.sock").string() << R"("},"ring":{"location":")"
        << ring.string() << R"("},"shards":[{"pnode":")" << pnode
        << R"(","backend":"embedded","sync":false,"path":")"
        << (directory_.path() / "shard").string() << R"("}]})";
    router_ =
        std::make_unique<RouterProcess>(std::vector<std::string>{"serve", "--config", config});
  }

  std::unique_ptr<Shard> make(boost::asio::io_context& loop, std::size_t in_flight_max) override {
    backends::moray::MorayShardOptions options;
    options.in_flight_max = in_flight_max;
    options.waiting_max = in_flight_max;
    options.pool.point_connections = 2;
    const boost::asio::ip::tcp::endpoint address{boost::asio::ip::make_address("127.0.0.1"),
                                                 router_->port()};
    return std::make_unique<backends::moray::MorayShard>(
        loop, backends::moray::fixed_addresses({address}), options);
  }

 private:
  TemporaryDirectory directory_;
  std::unique_ptr<RouterProcess> router_;
};

/// A database that lives as long as the maker.
class PostgresMaker final : public ShardMaker {
 public:
  std::unique_ptr<Shard> make(boost::asio::io_context& loop, std::size_t in_flight_max) override {
    backends::postgres::PostgresShardOptions options;
    options.pool.url = cluster_.url();
    options.in_flight_max = in_flight_max;
    auto shard = std::make_unique<backends::postgres::PostgresShard>(loop, options);
    run_until(loop, [&] { return shard->healthy(); });
    return shard;
  }

 private:
  PostgresCluster cluster_;
};

}  // namespace

TEST_CASE("contract: postgres") {
  PostgresMaker maker;
  check_contract(maker);
}

TEST_CASE("contract: embedded") {
  EmbeddedMaker maker;
  check_contract(maker);
}

TEST_CASE("contract: fake, in front of embedded") {
  FakeMaker maker;
  check_contract(maker);
}

TEST_CASE("contract: moray, where the moray is another moray-router") {
  RouterMaker maker;
  check_contract(maker);
}
