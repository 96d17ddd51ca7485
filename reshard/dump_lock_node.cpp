#include "reshard/dump_lock_node.hpp"

#include <stdexcept>
#include <utility>

#include "coordination/credentials.hpp"
#include "coordination/zookeeper_session.hpp"
#include "reshard/database.hpp"

namespace reshard {

DumpLock::DumpLock(boost::asio::io_context& loop, LockClaim mine, MakeSession make,
                   std::string service)
    : loop_(loop), mine_(std::move(mine)), make_(std::move(make)), service_(std::move(service)) {}

void DumpLock::wait(const std::function<bool()>& there, Clock::time_point until) {
  while (!there()) {
    if (Clock::now() >= until) throw Waiting("the site's lock: " + service_ + " does not answer");
    if (loop_.stopped()) loop_.restart();
    loop_.run_one_until(until);
  }
}

/// A session that has ended is followed by another one, which may see an older past.
void DumpLock::connect(Clock::time_point until) {
  if (session_ == nullptr || session_->state() == coordination::Session::State::expired) {
    session_.reset();
    current_ = false;
    try {
      session_ = make_();
    } catch (const std::exception& error) {
      throw Stuck("the site's lock: " + service_ + ": " + error.what());
    }
  }
  wait([this] { return session_->state() != coordination::Session::State::connecting; }, until);
  if (session_->state() != coordination::Session::State::denied) return;
  session_.reset();  // for good; a later call may have better ones
  require(coordination::Outcome::denied);
}

void DumpLock::require(coordination::Outcome outcome) const {
  switch (outcome) {
    case coordination::Outcome::done:
    case coordination::Outcome::exists:
    case coordination::Outcome::version_differs:
    case coordination::Outcome::unknown: return;  // another look tells
    case coordination::Outcome::no_node:
      throw Stuck("the site's lock: the node above " + mine_.path + " is not there");
    case coordination::Outcome::denied:
      throw Stuck("the site's lock: " + service_ + " refuses these credentials for " + mine_.path);
    case coordination::Outcome::has_children:
      throw Stuck("the site's lock: " + mine_.path + " has children, and can't be removed");
    case coordination::Outcome::refused: break;
  }
  throw Stuck("the site's lock: " + mine_.path + " is no path of a node that can be");
}

coordination::Outcome DumpLock::write(coordination::Write write, Clock::time_point until) {
  const auto done = std::make_shared<std::optional<coordination::Outcome>>();
  session_->transact({std::move(write)},
                     [done](coordination::Outcome outcome, std::size_t) { *done = outcome; });
  current_ = false;
  wait([&] { return done->has_value(); }, until);
  current_ = **done != coordination::Outcome::unknown;
  return **done;
}

/// Somebody else's, then, who has let nobody read it.
void DumpLock::require_readable(coordination::Outcome outcome) const {
  if (outcome == coordination::Outcome::denied)
    throw Waiting("the site's lock: " + mine_.path +
                  " is there, and may not be read with these credentials");
}

void DumpLock::require_time(Clock::time_point until) const {
  if (Clock::now() >= until)
    throw Waiting("the site's lock: " + mine_.path + " and the connection to " + service_ +
                  " change all the time");
}

/// After a write of the session's own. A check is one, also of what is not there.
std::optional<coordination::Node> DumpLock::read(Clock::time_point until) {
  for (;;) {
    connect(until);
    if (!current_) {
      const coordination::Outcome checked =
          write(coordination::Check{mine_.path, coordination::kAnyVersion}, until);
      require_readable(checked);
      if (checked != coordination::Outcome::no_node) require(checked);
    }
    const auto got =
        std::make_shared<std::optional<std::pair<coordination::Outcome, coordination::Node>>>();
    session_->get(mine_.path, nullptr,
                  [got](coordination::Outcome outcome, coordination::Node node) {
                    got->emplace(outcome, std::move(node));
                  });
    wait([&] { return got->has_value(); }, until);
    const coordination::Outcome outcome = (*got)->first;
    require_readable(outcome);
    if (outcome == coordination::Outcome::unknown) current_ = false;
    if (current_ && outcome == coordination::Outcome::no_node) return std::nullopt;
    if (current_ && outcome == coordination::Outcome::done) return std::move((*got)->second);
    if (outcome != coordination::Outcome::no_node) require(outcome);
    require_time(until);
  }
}

std::optional<LockedByOthers> DumpLock::look(std::chrono::milliseconds limit) {
  const LockStep step = step_to_take(mine_, read(Clock::now() + limit));
  if (step.kind == LockStep::Kind::others) return step.others;
  return std::nullopt;
}

std::optional<LockedByOthers> DumpLock::take(std::chrono::milliseconds limit,
                                             const std::function<void()>& writes) {
  for (const auto until = Clock::now() + limit;;) {
    mine_.since = time_now();
    const LockStep step = step_to_take(mine_, read(until));
    if (step.kind == LockStep::Kind::done) return std::nullopt;
    if (step.kind == LockStep::Kind::others) return step.others;
    require_time(until);
    writes();
    const coordination::Outcome outcome = write(*step.write, until);
    if (outcome == coordination::Outcome::done) return std::nullopt;
    const bool gone = outcome == coordination::Outcome::no_node &&
                      std::holds_alternative<coordination::Set>(*step.write);
    if (!gone) require(outcome);
  }
}

bool DumpLock::give_back(std::chrono::milliseconds limit) {
  bool written = false;
  for (const auto until = Clock::now() + limit;;) {
    const LockStep step = step_to_give_back(mine_, read(until));
    if (step.kind == LockStep::Kind::done) return written;
    require_time(until);
    written = true;  // or may be
    const coordination::Outcome outcome = write(*step.write, until);
    if (outcome == coordination::Outcome::done) return true;
    if (outcome != coordination::Outcome::no_node) require(outcome);
  }
}

std::unique_ptr<DumpLock> dump_lock_of(const Plan& plan, boost::asio::io_context& loop) {
  const DumpLockOptions& lock = *plan.dump_lock;
  coordination::ZooKeeperOptions options;
  options.servers = lock.fleet.zookeeper;
  options.session = std::chrono::milliseconds(lock.fleet.session_ms);
  try {
    coordination::read_credentials(lock.fleet.credentials_file, options);
  } catch (const std::runtime_error& error) {
    throw Stuck(std::string("the site's lock: ") + error.what());
  }
  std::string service = "ZooKeeper (";
  for (const std::string& server : lock.fleet.zookeeper)
    service += (service.back() == '(' ? "" : ", ") + server;
  return std::make_unique<DumpLock>(
      loop,
      LockClaim{lock.path, lock.fleet.name, plan.number, lock.token, this_author(), time_now()},
      [options, &loop]() -> std::unique_ptr<coordination::Session> {
        return std::make_unique<coordination::ZooKeeperSession>(loop, options);
      },
      service + ")");
}

}  // namespace reshard
