// The tools' connection: what becomes of a statement whose server goes, or says nothing.
#include "backends/postgres/wire/session.hpp"

#include <chrono>
#include <thread>

#include <doctest/doctest.h>

#include "tests/contract/postgres_client.hpp"

using backends::postgres::Session;
using backends::postgres::SessionError;
using test_support::FreshDatabase;

TEST_CASE("session: a statement whose process is ended fails, and so does the next one") {
  FreshDatabase cluster;
  Session session(cluster.url(), "test"), other(cluster.url(), "test");
  session.send("SELECT pg_sleep(60)");
  other.run("SELECT pg_terminate_backend($1::int)", {std::to_string(session.process())});
  CHECK_THROWS_AS(session.receive(), SessionError);
  CHECK_THROWS_AS(session.run("SELECT 1"), SessionError);
}

TEST_CASE("session: one that is ended in mid-COPY, and one whose rows nobody takes") {
  FreshDatabase cluster;
  Session session(cluster.url(), "test"), other(cluster.url(), "test");
  int pieces = 0;
  CHECK_THROWS_AS(session.copy_out("COPY (SELECT repeat('x', 1000), pg_sleep(0.001) FROM "
                                   "generate_series(1, 100000)) TO STDOUT",
                                   [&](std::string_view) {
                                     if (++pieces == 10)
                                       other.run("SELECT pg_terminate_backend($1::int)",
                                                 {std::to_string(session.process())});
                                   }),
                  SessionError);
  CHECK(pieces >= 10);
  int taken = 0;
  CHECK_THROWS_AS(other.copy_out("COPY (SELECT 1 FROM generate_series(1, 1000)) TO STDOUT",
                                 [&](std::string_view) {
                                   if (++taken == 3) throw std::runtime_error("enough");
                                 }),
                  std::runtime_error);
  CHECK_THROWS_AS(other.run("SELECT 1"), SessionError);
}

TEST_CASE(
    "session: no answer in time ends the connection; an answer that nobody took is thrown away") {
  FreshDatabase cluster;
  Session session(cluster.url(), "test");
  session.send("SELECT 1");
  CHECK(session.run("SELECT 2").text(0, 0) == "2");
  session.send("SELECT 1 / 0");
  CHECK(session.run_all("SELECT 2; SELECT 3").text(0, 0) == "3");
  session.answer_until(std::chrono::steady_clock::now() + std::chrono::milliseconds(100));
  CHECK_THROWS_AS(session.run("SELECT pg_sleep(60)"), SessionError);
  session.answer_until(std::nullopt);
  CHECK_THROWS_AS(session.run("SELECT 1"), SessionError);
}

TEST_CASE("session: who is asked while an answer is waited for may give it up") {
  FreshDatabase cluster;
  Session session(cluster.url(), "test"), other(cluster.url(), "test");
  int asked = 0;
  session.while_waiting([&](std::chrono::milliseconds) {
    CHECK(other.run("SELECT 1").text(0, 0) == "1");
    return ++asked == 2;
  });
  CHECK(session.run("SELECT 2").text(0, 0) == "2");
  CHECK_THROWS_WITH_AS(session.run("SELECT pg_sleep(600)"), "its answer is waited for no longer",
                       SessionError);
  CHECK(asked == 2);
  CHECK_THROWS_AS(session.run("SELECT 1"), SessionError);
}
