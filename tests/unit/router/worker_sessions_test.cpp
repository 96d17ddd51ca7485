#include <unistd.h>

#include <memory>

#include <doctest/doctest.h>

#include "router/log/log.hpp"
#include "router/serve/bounds.hpp"
#include "router/serve/cells.hpp"
#include "router/serve/worker.hpp"

using namespace router;

TEST_CASE(
    "worker: a session counts from its adoption on, while the thread has not seen to it yet") {
  Log log("test", LogLevel::fatal, STDERR_FILENO);
  const auto cells = std::make_unique<WorkerCells>();
  Worker worker(0, {}, {}, std::make_shared<Bounds>(), cells.get(), log);
  // Its thread has not begun: as one that is busy for as long as it likes.
  for (std::size_t adopted = 0; adopted < 5; ++adopted) {
    CHECK(worker.sessions() == adopted);
    worker.adopt(boost::asio::ip::tcp::v4(), -1);
  }
  CHECK(worker.sessions() == 5);
}
