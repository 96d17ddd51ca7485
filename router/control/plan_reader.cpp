#include "router/control/plan_reader.hpp"

#include <boost/asio/post.hpp>

#include "backends/postgres/session.hpp"

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

PlanStanding standing_of(const PlanRow& row, const std::string& digest) {
  if (!row.answered) return PlanStanding::unknown;
  if (!row.found) return PlanStanding::none;
  if (row.state == "fenced") return PlanStanding::fenced;
  if (row.state == "preparing" || row.state == "capturing") return PlanStanding::open;
  const bool ours = row.ring_digest == digest;
  if (row.state == "aborted")
    return ours || !row.ring_digest ? PlanStanding::aborted : PlanStanding::other_ring;
  if (!row.decided) return PlanStanding::committed;
  return ours ? PlanStanding::decided : PlanStanding::other_ring;
}

PlanStanding read_plan_standing(const PlanQuestion& source) {
  return standing_of(read_row(source), source.digest);
}

PlanReader::PlanReader() : keep_running_(loop_.get_executor()), thread_([this] { loop_.run(); }) {}

PlanReader::~PlanReader() {
  loop_.stop();
  thread_.join();
}

void PlanReader::ask(PlanQuestion source, std::function<void(PlanStanding)> done) {
  boost::asio::post(loop_, [source = std::move(source), done = std::move(done)] {
    done(read_plan_standing(source));
  });
}

void PlanReader::ask_open(PlanQuestion target, std::function<void(bool)> done) {
  boost::asio::post(loop_, [target = std::move(target), done = std::move(done)] {
    const PlanRow row = read_row(target);
    done(row.found && (row.state == "committed" || row.state == "done"));
  });
}

}  // namespace router
