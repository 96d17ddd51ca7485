#include "router/serve/answer_window.hpp"

#include <doctest/doctest.h>

using router::AnswerWindow;

TEST_CASE("answer window: a client begins with a few, and has one more with each answer") {
  AnswerWindow window;
  CHECK(window.most() == 64);
  for (int i = 0; i < 1000; ++i) window.answered(300);
  CHECK(window.most() == 1064);
}

TEST_CASE("answer window: of large answers no more are under way than the bound of bytes holds") {
  AnswerWindow window;
  for (int i = 0; i < 1000; ++i) window.answered(300);
  window.answered(8 << 20);
  CHECK(window.most() == 8);
  window.answered(200 << 20);
  CHECK(window.most() == 1);
  for (int i = 0; i < 200; ++i) window.answered(300);  // it is forgotten in time
  CHECK(window.most() == 1266);
}
