#include "reshard/standing.hpp"

#include <doctest/doctest.h>

using namespace reshard;

namespace {

Act seen(Act recorded, const char* source, const char* target) {
  return true_act(resumed({recorded, recorded}), source, target);
}

}  // namespace

TEST_CASE("standing: the rows say how far a plan came that died where the journal is not written") {
  CHECK(true_act({Act::prepare}, "fenced", "guarded") == Act::wait_fenced);
  CHECK(true_act({Act::make_schema}, "fenced", "guarded") == Act::wait_fenced);
  CHECK(true_act({Act::commit}, "fenced", "guarded") == Act::commit);
  CHECK(true_act({Act::prepare}, "committed", "guarded") == Act::wait_commit_flushed);
  CHECK(true_act({Act::prepare}, "committed", "committed") == Act::unblock);
  CHECK(true_act({Act::prepare}, "capturing", "guarded") == Act::prepare);
  // Another coordinator has begun to go on.
  CHECK(seen(Act::prepare, "fenced", "guarded") == Act::back_out);
  CHECK(seen(Act::prepare, "committed", "guarded") == Act::wait_commit_flushed);
}

TEST_CASE("standing: a plan is at least where its rows are") {
  CHECK(seen(Act::soak, "committed", "committed") == Act::soak);
  CHECK(seen(Act::soak, "committed", "done") == Act::begin_cleanup);
  CHECK(seen(Act::finalize, "cleaning", "done") == Act::clean);
  CHECK(seen(Act::begin_cleanup, "done", "done") == Act::end_cleanup);
  CHECK(true_act({Act::finished}, "committed", "committed") == Act::finished);
  CHECK(seen(Act::copy, "aborted", "guarded") == Act::clean_target);
  CHECK(seen(Act::copy, "aborted", "aborted") == Act::aborted);
}

TEST_CASE("standing: where no database says anything, the journal does") {
  CHECK(true_act({Act::prepare}, "", "") == Act::prepare);
  CHECK(seen(Act::soak, "", "committed") == Act::soak);
  CHECK(seen(Act::pump, "capturing", "guarded") == Act::make_schema);  // what comes next
}

TEST_CASE("believed: a row of either side that says more than the journal counts") {
  const auto act = [](Act recorded, const std::string& source, const std::string& target) {
    Progress at;
    at.act = recorded;
    return believed(at, source, target).act;
  };
  CHECK(act(Act::prepare, "fenced", "guarded") == Act::prepare);
  CHECK(act(Act::prepare, "committed", "guarded") == Act::wait_commit_flushed);
  CHECK(act(Act::back_out, "committed", "guarded") == Act::wait_commit_flushed);
  CHECK(act(Act::activate, "committed", "guarded") == Act::activate);
  CHECK(act(Act::prepare, "committed", "committed") == Act::unblock);
  CHECK(act(Act::prepare, "", "committed") == Act::soak);
  CHECK(act(Act::prepare, "", "done") == Act::soak);
  CHECK(act(Act::soak, "committed", "done") == Act::soak);  // or its log has been given up
  CHECK(act(Act::finalize, "committed", "done") == Act::finalize);
  CHECK(act(Act::soak, "cleaning", "done") == Act::begin_cleanup);
  CHECK(act(Act::make_schema, "done", "done") == Act::begin_cleanup);
  CHECK(act(Act::clean, "cleaning", "done") == Act::clean);
  CHECK(act(Act::finished, "committed", "committed") == Act::finished);
  CHECK(act(Act::copy, "", "") == Act::copy);
}

TEST_CASE("believed: an abort that the journal lacks is gone on with") {
  Progress at;
  at.act = Act::pump;
  const Progress then = believed(at, "aborted", "guarded");
  CHECK(then.act == Act::abort_plan);
  CHECK(then.give_up);
  at.act = Act::clean_target;
  CHECK(believed(at, "aborted", "aborted") == at);
}

TEST_CASE("believed: what is to come after taking over counts as the journal's word") {
  Progress at;
  at.act = Act::take_over;
  at.after_take_over = Act::back_out;
  CHECK(believed(at, "committed", "committed").act == Act::unblock);
  at.after_take_over = Act::soak;
  CHECK(believed(at, "committed", "committed") == at);
}
