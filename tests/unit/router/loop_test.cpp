// Guests of a server, and loops whose handlers throw.
#include <stdexcept>
#include <vector>

#include <doctest/doctest.h>

#include "router/log/log.hpp"
#include "router/loop/guests.hpp"
#include "router/loop/loop_thread.hpp"

using router::Guests;

TEST_CASE("guests: the one that has been idle for longest makes room; busy ones never do") {
  Guests guests(3);
  std::vector<int> left;
  std::vector<Guests::Place> places;
  for (int i = 0; i < 3; ++i)
    places.push_back(guests.enter([&left, i] { left.push_back(i); }).value());
  guests.busy(places[0]);
  guests.busy(places[1]);
  guests.idle(places[1]);  // later than the third
  const auto fourth = guests.enter([&left] { left.push_back(3); });
  REQUIRE(fourth);
  CHECK(left == std::vector<int>{2});
  guests.busy(*fourth);
  guests.left(places[2]);  // it was counted out already
  CHECK(guests.size() == 3);
  CHECK(guests.enter([] {}));
  CHECK(left == std::vector<int>{2, 1});
}

TEST_CASE("guests: where all are busy a newcomer is told so; who has left makes room") {
  Guests guests(2);
  const auto first = guests.enter([] {}), second = guests.enter([] {});
  guests.busy(*first);
  guests.busy(*second);
  CHECK_FALSE(guests.enter([] {}));
  guests.left(*first);
  CHECK(guests.enter([] {}));
  CHECK(guests.size() == 2);
}

TEST_CASE("loop: what a handler throws ends neither its thread nor what comes after") {
  router::Log log("test", router::LogLevel::fatal, -1);
  boost::asio::io_context loop(1);
  int done = 0;
  for (int i = 0; i < 3; ++i) {
    boost::asio::post(loop, [] { throw std::runtime_error("a handler's own"); });
    boost::asio::post(loop, [&done] { ++done; });
    boost::asio::post(loop, [] { throw 7; });
  }
  router::run_loop(loop, "test", log);
  CHECK(done == 3);
}
