#include <chrono>
#include <memory>
#include <thread>

#include <doctest/doctest.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "backends/postgres/wire/pool.hpp"

using backends::postgres::Pool;
using backends::postgres::PoolOptions;
using namespace std::chrono_literals;

TEST_CASE("postgres pool: timers that have run out when it ends find nobody") {
  boost::asio::io_context loop;
  PoolOptions options;
  options.url = "postgresql://moray@127.0.0.1:1/moray";  // nobody listens there
  options.point_connections = 2;
  options.retry_min = 20ms;
  options.idle_limit = 40ms;
  auto pool = std::make_unique<Pool>(loop, options);
  for (int i = 0; i < 5'000 && pool->problem().empty(); ++i) loop.run_for(1ms);
  REQUIRE_FALSE(pool->problem().empty());
  // Its retries and its look at idle connections are all due when the loop looks again; the first
  // to be called ends the pool, and the others' handlers are on their way by then.
  boost::asio::steady_timer end(loop, 0ms);
  end.async_wait([&pool](const boost::system::error_code& error) {
    if (!error) pool.reset();
  });
  std::this_thread::sleep_for(200ms);
  loop.restart();
  loop.run_for(50ms);
  CHECK(pool == nullptr);
}
