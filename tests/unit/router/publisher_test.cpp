#include "router/control/publisher.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <future>
#include <optional>

#include <doctest/doctest.h>

#include "ring/topology.hpp"
#include "router/log/log.hpp"
#include "stand_in_shard.hpp"

using namespace router;

namespace {

/// Two workers that serve one shard, and who hands them rings.
struct Served {
  Served() {
    for (std::size_t i = 0; i < 2; ++i)
      workers.push_back(std::make_unique<Worker>(
          i, WorkerOptions{},
          [](const ShardSpec&, boost::asio::io_context&, budget::Account&) {
            return std::make_unique<StandInShard>();
          },
          std::make_shared<Bounds>(), nullptr, log));
    publisher.begin(publication(), {});
    for (const auto& worker : workers) worker->run(*publisher.current());
  }
  ~Served() {
    for (const auto& worker : workers) worker->stop();
    close(nowhere);
  }

  static Publication publication() {
    Publication next;
    next.snapshot = std::make_shared<const Snapshot>(Snapshot::make(
        ring::create_ring(ring::Algorithm::sha256, 16, {"tcp://1.moray.lab:2020"}), {}));
    next.shards.resize(1);
    return next;
  }
  Published publish(Publication next) {
    std::optional<Published> told;
    publisher.publish(std::move(next), {}, [&](const Published& published) { told = published; });
    while (!told) loop.run_one();
    return *told;
  }

  int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  Log log{"test", LogLevel::fatal, nowhere};
  boost::asio::io_context loop;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
      loop.get_executor()};
  std::vector<std::unique_ptr<Worker>> workers;
  Publisher publisher{loop, workers, log};
};

}  // namespace

TEST_CASE("publisher: done is said when every worker has it") {
  Served served;
  CHECK(served.publish(Served::publication()).missing.empty());
  CHECK(served.publisher.counts().publications == 1);
}

TEST_CASE("publisher: a worker that stands still is named, holds nobody up, and takes it later") {
  Served served;
  std::promise<void> go;
  served.workers[1]->status(
      [still = go.get_future().share()](const WorkerStatus&) { still.wait(); });
  const Published told = served.publish(Served::publication());
  CHECK(told.missing == std::vector<std::size_t>{1});
  CHECK(missing_workers(told) == "worker 1");
  std::optional<Published> awaited;
  served.publisher.await([&](const Published& published) { awaited = published; });
  REQUIRE(awaited);  // at once
  CHECK(awaited->missing == std::vector<std::size_t>{1});
  go.set_value();
  while (!served.publisher.counts().last.missing.empty()) served.loop.run_one();
  CHECK(served.publish(Served::publication()).missing.empty());
}

TEST_CASE("publisher: a ring is freed when nobody uses it, however often it was published") {
  Served served;
  Publication first = Served::publication();
  const std::weak_ptr<const Snapshot> snapshot = first.snapshot;
  for (int i = 0; i < 3; ++i) {
    Publication again;
    again.snapshot = first.snapshot;
    again.shards.resize(1);
    served.publish(std::move(again));
  }
  first = {};
  served.publish(Served::publication());
  CHECK_FALSE(snapshot.expired());  // no worker is the one that frees it
  served.publish(Served::publication());
  served.publish(Served::publication());
  CHECK(snapshot.expired());
}
