// Which answer is whose, without a server: libpq makes results of any status by itself.
#include "backends/postgres/wire/multiplexer.hpp"

#include <doctest/doctest.h>

#include <libpq-fe.h>

using namespace backends::postgres;

namespace {

PGresult* of(ExecStatusType status) { return PQmakeEmptyPGresult(nullptr, status); }

/// With one row of one column.
PGresult* with_row(const std::string& text, ExecStatusType status = PGRES_TUPLES_OK) {
  PGresult* result = of(status);
  std::string name = "a";
  PGresAttDesc column{name.data(), 0, 0, 0, 25, -1, -1};
  PQsetResultAttrs(result, 1, &column);
  std::string value = text;
  PQsetvalue(result, 0, 0, value.data(), static_cast<int>(value.size()));
  return result;
}

template <typename Kind>
Kind& add(Multiplexer& sent, Kind kind = {}) {
  return std::get<Kind>(sent.add(std::make_unique<Pending>(std::move(kind))).kind);
}
pending::Read& add_read(Multiplexer& sent, bool unchecked, std::size_t ends = 1) {
  pending::Read read;
  read.sent = true;
  read.unchecked = unchecked;
  read.ends = ends;
  return add(sent, std::move(read));
}

/// How many are answered, and what the first of them said, or failed with.
struct Said {
  std::size_t count = 0;
  std::vector<std::string> texts;
};
Said said(const std::unique_ptr<Pending>& done) {
  Said all;
  for (const Pending* each = done.get(); each != nullptr; each = each->next.get()) {
    ++all.count;
    std::visit(
        [&](const auto& kind) {
          if constexpr (std::is_base_of_v<Awaited, std::decay_t<decltype(kind)>>) {
            const QueryResult& result = kind.result;
            all.texts.push_back(result.error              ? result.error->sqlstate
                                : result.rows.count() > 0 ? result.rows.string(0, 0)
                                                          : "");
          }
        },
        each->kind);
  }
  return all;
}
std::vector<std::string> texts(const Multiplexer::Outcome& outcome) {
  return said(outcome.done).texts;
}
using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("multiplexer: a pipeline's statement is over at its Sync, a single one at its end") {
  Multiplexer pipeline(Mode::pipeline), single(Mode::single);
  for (Multiplexer* sent : {&pipeline, &single}) {
    add<pending::Single>(*sent);
    CHECK(sent->due());
    CHECK(texts(sent->take(with_row("x"))).empty());
  }
  CHECK(texts(single.take(nullptr)) == Texts{"x"});
  CHECK(texts(pipeline.take(nullptr)).empty());
  CHECK(texts(pipeline.take(of(PGRES_PIPELINE_SYNC))) == Texts{"x"});
  CHECK_FALSE(pipeline.due());
}

TEST_CASE("multiplexer: reads wait for the look of the last of their group") {
  Multiplexer sent(Mode::pipeline);
  add_read(sent, true);
  add_read(sent, true);
  add_read(sent, false);
  add<pending::EndOfReads>(sent);
  for (const char* text : {"one", "two"}) {
    CHECK(texts(sent.take(with_row(text))).empty());
    CHECK(texts(sent.take(nullptr)).empty());
  }
  SUBCASE("it finds nothing changed: all are answered, in their order") {
    CHECK(texts(sent.take(with_row("three"))).empty());
    CHECK(texts(sent.take(nullptr)) == Texts{"one", "two", "three"});
    CHECK(said(sent.take(of(PGRES_PIPELINE_SYNC)).done).count == 1);
    CHECK(sent.empty());
  }
  SUBCASE("it fails: what came before it is not known to be right") {
    CHECK(texts(sent.take(of(PGRES_FATAL_ERROR))).empty());
    CHECK(texts(sent.take(nullptr)) == Texts{"25P02", "25P02", ""});
  }
  SUBCASE("the connection is lost before it") {
    CHECK(said(sent.lose("gone")).texts == Texts{"", "", ""});
    CHECK(sent.empty());
  }
}

TEST_CASE("multiplexer: answers that have no room don't wait for the look of a later one") {
  Multiplexer sent(Mode::pipeline);
  for (const bool unchecked : {true, true, true, false}) add_read(sent, unchecked);
  CHECK(sent.under_way() == 4);
  sent.keep_at_most(2'000'000);
  sent.take(with_row("one"));
  CHECK(texts(sent.take(nullptr)).empty());
  sent.take(with_row(std::string(2'000'000, 'x')));
  CHECK(texts(sent.take(nullptr)) == Texts{"25P02"});  // it is run alone
  sent.take(with_row("three"));
  CHECK(texts(sent.take(nullptr)).empty());
  sent.take(with_row("four"));
  CHECK(texts(sent.take(nullptr)) == Texts{"one", "three", "four"});
}

TEST_CASE("multiplexer: where a read fails, its group fails with it, and no other") {
  Multiplexer sent(Mode::pipeline);
  add_read(sent, true);
  add_read(sent, false);  // of another bucket, that is done
  add_read(sent, true);
  add_read(sent, true);
  add_read(sent, false);
  add<pending::EndOfReads>(sent);
  sent.take(with_row("a1"));
  sent.take(nullptr);
  sent.take(with_row("a2"));
  CHECK(texts(sent.take(nullptr)) == Texts{"a1", "a2"});
  sent.take(with_row("b1"));
  CHECK(texts(sent.take(nullptr)).empty());
  sent.take(of(PGRES_FATAL_ERROR));
  const auto failed = sent.take(nullptr);
  CHECK(said(failed.done).count == 1);
  CHECK(std::get<pending::Read>(failed.done->kind).result.error);
  sent.take(of(PGRES_PIPELINE_ABORTED));
  CHECK(texts(sent.take(nullptr)) == Texts{"25P02", "25P02"});
}

TEST_CASE("multiplexer: a read that is kept back is not due, and what is prepared has two ends") {
  Multiplexer sent(Mode::pipeline);
  pending::Read& read = add(sent, pending::Read());
  CHECK_FALSE(sent.due());
  const Statement statement{"name", "SELECT 1"};
  CHECK(sent.prepared(statement).fresh);
  CHECK_FALSE(sent.prepared(statement).fresh);
  read.sent = true;
  read.preparing = "name";
  read.ends = 2;
  SUBCASE("it is prepared") {
    CHECK(texts(sent.take(of(PGRES_COMMAND_OK))).empty());
    CHECK(texts(sent.take(nullptr)).empty());
    CHECK(texts(sent.take(with_row("x"))).empty());
    CHECK(texts(sent.take(nullptr)) == Texts{"x"});
    CHECK_FALSE(sent.prepared(statement).fresh);
  }
  SUBCASE("it is not: the next one tries anew") {
    sent.take(of(PGRES_FATAL_ERROR));
    sent.take(nullptr);
    sent.take(of(PGRES_PIPELINE_ABORTED));
    CHECK(said(sent.take(nullptr).done).count == 1);
    CHECK(sent.prepared(statement).fresh);
  }
}

TEST_CASE("multiplexer: of steps, those after the first that fails say so") {
  Multiplexer sent(Mode::single);
  pending::Several steps;
  steps.results.resize(3);
  steps.commands = {"", "prepares", "", ""};
  const auto& several = add(sent, std::move(steps));
  sent.take(with_row("first"));
  sent.take(nullptr);
  sent.take(of(PGRES_COMMAND_OK));  // of the preparation
  sent.take(nullptr);
  sent.take(of(PGRES_FATAL_ERROR));
  sent.take(nullptr);
  sent.take(of(PGRES_PIPELINE_ABORTED));
  sent.take(nullptr);
  CHECK(several.results[0].rows.string(0, 0) == "first");
  CHECK(several.results[1].error);
  CHECK(several.results[2].error->skipped());
  const auto outcome = sent.take(of(PGRES_PIPELINE_SYNC));
  CHECK(outcome.left_pipeline);
  CHECK(said(outcome.done).count == 1);
}

TEST_CASE("multiplexer: COPY ends the connection, of each kind and in each direction") {
  for (const ExecStatusType status : {PGRES_COPY_OUT, PGRES_COPY_IN, PGRES_COPY_BOTH}) {
    const auto refuses = [&](Multiplexer& sent) {
      CHECK_FALSE(sent.take(of(status)).refused.empty());
      const auto lost = sent.lose("closed");
      return said(lost).texts.empty()
                 ? Texts{std::get<pending::Several>(lost->kind).results[0].error->sqlstate}
                 : said(lost).texts;
    };
    Multiplexer single(Mode::single), script(Mode::single), read(Mode::pipeline),
        several(Mode::single);
    add<pending::Single>(single);
    add<pending::Script>(script);
    add_read(read, false);
    pending::Several steps;
    steps.results.resize(1);
    steps.commands = {""};
    add(several, std::move(steps));
    for (Multiplexer* each : {&single, &script, &read, &several})
      CHECK(refuses(*each) == Texts{kNotServed});
  }
}

TEST_CASE("multiplexer: rows go to a taker, which may hold the rest up") {
  Multiplexer sent(Mode::single);
  pending::Single stream;
  std::string taken;
  stream.taker = [&](const Rows& rows) {
    taken += rows.string(0, 0);
    return taken.size() == 2;
  };
  add(sent, std::move(stream));
  CHECK_FALSE(sent.take(with_row("a", PGRES_SINGLE_TUPLE)).held);
  CHECK(sent.take(with_row("b", PGRES_SINGLE_TUPLE)).held);
  CHECK(texts(sent.take(of(PGRES_TUPLES_OK))).empty());
  CHECK(texts(sent.take(nullptr)) == Texts{""});
  CHECK(taken == "ab");
}

TEST_CASE("multiplexer: what came of a status that nobody expects is answered as an error") {
  for (const ExecStatusType status :
       {PGRES_BAD_RESPONSE, PGRES_NONFATAL_ERROR, PGRES_FATAL_ERROR}) {
    Multiplexer sent(Mode::single);
    const auto& one = add<pending::Single>(sent);
    sent.take(of(status));
    CHECK(one.result.error);
  }
}

TEST_CASE("multiplexer: what is out of step with what is due ends the connection") {
  Multiplexer sent(Mode::pipeline);
  const auto refused = [&](PGresult* result) { return !sent.take(result).unexpected.empty(); };
  SUBCASE("a failed read's end is missing, as libpq drops it where more is sent before it") {
    add_read(sent, false);
    add_read(sent, false);
    add<pending::EndOfReads>(sent);
    CHECK_FALSE(refused(of(PGRES_FATAL_ERROR)));
    CHECK(sent.midway());
    CHECK(refused(of(PGRES_PIPELINE_ABORTED)));
  }
  SUBCASE("a read's result is missing") {
    add_read(sent, false);
    add<pending::EndOfReads>(sent);
    SUBCASE("its end comes") { CHECK(refused(nullptr)); }
    SUBCASE("its Sync comes") { CHECK(refused(of(PGRES_PIPELINE_SYNC))); }
  }
  SUBCASE("a read's result comes that nobody waits for") {
    add<pending::EndOfReads>(sent);
    CHECK(refused(with_row("x")));
  }
  SUBCASE("a statement's Sync comes before its result") {
    add<pending::Single>(sent);
    CHECK(refused(of(PGRES_PIPELINE_SYNC)));
  }
  SUBCASE("a statement has two results") {
    add<pending::Single>(sent);
    CHECK_FALSE(refused(with_row("x")));
    CHECK_FALSE(refused(nullptr));
    CHECK(refused(with_row("y")));
  }
  SUBCASE("a statement that is alone ends without a result") {
    Multiplexer alone(Mode::single);
    add<pending::Single>(alone);
    CHECK_FALSE(alone.take(nullptr).unexpected.empty());
  }
  SUBCASE("the Sync of several comes before the last of them") {
    pending::Several steps;
    steps.results.resize(2);
    steps.commands = {"", ""};
    add(sent, std::move(steps));
    CHECK_FALSE(refused(with_row("x")));
    CHECK_FALSE(refused(nullptr));
    CHECK(refused(of(PGRES_PIPELINE_SYNC)));
  }
}

TEST_CASE("multiplexer: a Sync may fail itself, before it is told") {
  Multiplexer sent(Mode::pipeline);
  add<pending::Single>(sent);
  for (PGresult* each : {with_row("x"), static_cast<PGresult*>(nullptr), of(PGRES_FATAL_ERROR),
                         static_cast<PGresult*>(nullptr)})
    CHECK(sent.take(each).unexpected.empty());
  const auto outcome = sent.take(of(PGRES_PIPELINE_SYNC));
  REQUIRE(outcome.done);
  CHECK(std::get<pending::Single>(outcome.done->kind).result.error);
}
