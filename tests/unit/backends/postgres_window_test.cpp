#include "backends/postgres/wire/window.hpp"

#include <doctest/doctest.h>

using backends::postgres::Window;

TEST_CASE("window: full until half of what it holds is answered") {
  const Window window;
  CHECK_FALSE(window.is_full(window.most() - 1));
  CHECK(window.is_full(window.most()));
  CHECK_FALSE(window.has_room(window.most() / 2 + 1));
  CHECK(window.has_room(window.most() / 2));
}

TEST_CASE("window: a few megabytes of large answers, two at least, and more when they are small") {
  Window window;
  const std::size_t usual = window.most();
  window.answered(1 << 10);
  CHECK(window.most() == usual);
  CHECK_FALSE(window.large());
  window.answered(2 << 20);
  CHECK(window.most() == 8);
  CHECK(window.large());
  window.answered(64 << 20);
  CHECK(window.most() == 2);
  for (int i = 0; i < 100; ++i) window.answered(100);
  CHECK(window.most() == usual);
  CHECK_FALSE(window.large());
}
