#include "router/control/plan_reader.hpp"

#include "backends/postgres/wire/session.hpp"

namespace router {
namespace {

using backends::postgres::SessionError;

constexpr int kReaderSeconds = 2;
constexpr std::uint64_t kStatementMs = 1'000;

PlanRow read_row(const PlanQuestion& question) {
  PlanRow row;
  try {
    backends::postgres::Session session(question.url, "moray-router plan", kReaderSeconds);
    session.limit_statements(kStatementMs);
    const bool schema =
        session.run("SELECT 1 WHERE to_regclass('moray_router.reshard_plan') IS NOT NULL").count() >
        0;
    row.answered = true;
    if (!schema) return row;
    const auto rows = session.run(
        "SELECT state, decided, ring_digest FROM moray_router.reshard_plan WHERE plan::text = $1 "
        "AND token = $2",
        {question.plan, question.token});
    row.found = rows.count() > 0;
    if (!row.found) return row;
    row.state = rows.string(0, 0);
    row.decided = rows.text(0, 1) == "t";
    if (!rows.null(0, 2)) row.ring_digest = rows.string(0, 2);
  } catch (const SessionError&) {
    row.answered = false;
  }
  return row;
}

}  // namespace

PlanStanding read_plan_standing(const PlanQuestion& source) {
  return standing_of(read_row(source), source.digest);
}

PlanReader::PlanReader(Log& log) : thread_("plan reader", log) { thread_.start(); }

void PlanReader::ask(PlanQuestion source, std::function<void(PlanStanding)> done) {
  thread_.post(
      [source = std::move(source), done = std::move(done)] { done(read_plan_standing(source)); });
}

void PlanReader::ask_open(PlanQuestion target, std::function<void(bool)> done) {
  thread_.post([target = std::move(target), done = std::move(done)] {
    const PlanRow row = read_row(target);
    // Before it is decided, a failover may take it back.
    done(row.found && ((row.state == "committed" && row.decided) || row.state == "done"));
  });
}

}  // namespace router
