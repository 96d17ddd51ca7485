#include "router/serve/session_life.hpp"

#include <doctest/doctest.h>

using router::SessionLife;
using Rest = SessionLife::Rest;

TEST_CASE("session life: a client that ends its input is answered, and closed without lingering") {
  SessionLife life;
  CHECK(life.reads());
  CHECK(life.at_rest() == Rest::go_on);
  life.input_ended();
  CHECK_FALSE(life.reads());
  CHECK(life.takes());  // what was read before
  CHECK_FALSE(life.draining());
  CHECK(life.at_rest() == Rest::close);
}

TEST_CASE("session life: one that drains takes nothing more, and lingers for what is on its way") {
  SessionLife life;
  life.drain();
  CHECK_FALSE(life.reads());
  CHECK_FALSE(life.takes());
  CHECK(life.draining());
  CHECK(life.at_rest() == Rest::linger);
  CHECK(life.lingers());
  CHECK(life.draining());
  CHECK(life.at_rest() == Rest::go_on);  // it lingers already
  life.input_ended();
  life.drain();
  CHECK(life.lingers());
}

TEST_CASE("session life: where the client's input has ended nobody lingers, whichever came first") {
  for (const bool input_first : {true, false}) {
    SessionLife life;
    if (input_first) life.input_ended();
    life.drain();
    if (!input_first) life.input_ended();
    CHECK_FALSE(life.takes());
    CHECK(life.at_rest() == Rest::close);
  }
}

TEST_CASE("session life: nothing follows the end") {
  SessionLife life;
  life.close();
  life.input_ended();
  life.drain();
  CHECK(life.closed());
  CHECK_FALSE(life.takes());
  CHECK(life.at_rest() == Rest::go_on);
}
