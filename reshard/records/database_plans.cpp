#include "reshard/records/database_plans.hpp"

#include <algorithm>
#include <future>
#include <stdexcept>

#include "reshard/database.hpp"
#include "reshard/records/database_records.hpp"

namespace reshard {
namespace {

using backends::postgres::Session;
using backends::postgres::SessionError;

/// With 0: the turn to take the site's lock, or to give it back.
constexpr int kTurnLock = 0x6d727774;
constexpr int kConnectSeconds = 2;
constexpr std::size_t kAskedAtOnce = 16;
constexpr const char* kApplication = "moray-router reshard plans";

struct Answer {
  std::vector<kept::Definition> definitions;
  std::string problem;
};

Answer ask(const Side& shard) {
  try {
    Session session(shard.url, kApplication, kConnectSeconds);
    session.answer_until(std::chrono::steady_clock::now() + std::chrono::seconds(kConnectSeconds));
    return {kept::definitions(session), ""};
  } catch (const SessionError& error) {
    return {{}, "shard " + shard.pnode + ": " + error.what()};
  }
}

class SessionsTurn : public LockTurn {
 public:
  explicit SessionsTurn(const std::vector<Side>& shards) {
    for (const Side& shard : shards) try {
        sessions_.push_back(std::make_unique<Session>(shard.url, kApplication, kConnectSeconds));
        if (sessions_.back()
                ->run("SELECT pg_try_advisory_lock(" + std::to_string(kTurnLock) + ", 0)")
                .text(0, 0) != "t")
          throw Waiting("another plan takes the site's lock, or gives it back, at this moment");
      } catch (const SessionError& error) {
        throw ActFailed("the site's lock: shard " + shard.pnode +
                        ", whose plans may hold it: " + error.what());
      }
  }

 private:
  std::vector<std::unique_ptr<Session>> sessions_;
};

std::string list_of(const std::vector<std::string>& each) {
  std::string all;
  for (const std::string& one : each) all += "; " + one;
  return all;
}

}  // namespace

DatabasePlans::DatabasePlans(const config::Config& config, std::filesystem::path directory,
                             std::string words)
    : config_(config), directory_(std::move(directory)), words_(std::move(words)) {
  for (const config::Shard& shard : config.shards)
    if (shard.backend == config::Backend::postgres)
      shards_.push_back({shard.pnode, shard.url, shard.url});
  std::sort(shards_.begin(), shards_.end(),
            [](const Side& a, const Side& b) { return a.pnode < b.pnode; });
  if (shards_.empty())
    throw std::runtime_error("the configuration has no PostgreSQL shard that could keep plans");
}

void DatabasePlans::look() {
  found_.clear();
  unseen_.clear();
  for (std::size_t begin = 0; begin < shards_.size(); begin += kAskedAtOnce) {
    std::vector<std::future<Answer>> asked;
    for (std::size_t i = begin; i < std::min(begin + kAskedAtOnce, shards_.size()); ++i)
      asked.push_back(std::async(std::launch::async, ask, std::cref(shards_[i])));
    for (auto& each : asked) {
      const Answer answer = each.get();
      if (!answer.problem.empty()) unseen_.push_back(answer.problem);
      for (const kept::Definition& one : answer.definitions) {
        auto& same = found_[one.number];
        if (std::none_of(same.begin(), same.end(),
                         [&](const auto& other) { return other.token == one.token; }))
          same.push_back(one);
      }
    }
  }
}

std::vector<std::uint64_t> DatabasePlans::numbers() {
  look();
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, definitions] : found_) numbers.push_back(number);
  return numbers;
}

/// A definition never changes: one that was found once is not looked for again.
Journal DatabasePlans::open(std::uint64_t number) {
  if (!found_.contains(number)) look();
  const auto found = found_.find(number);
  if (found == found_.end())
    throw std::runtime_error("no PostgreSQL shard of the configuration has a plan " +
                             std::to_string(number) +
                             (unseen_.empty() ? "" : ", of those that answer" + list_of(unseen_)));
  if (found->second.size() > 1)
    throw std::runtime_error("two plans have the number " + std::to_string(number) +
                             ": forget one of them, with a configuration of its shards alone");
  return journal_of(whole(found->second.front()));
}

/// The databases' addresses, with their passwords, the ring, and where its fleet is found, are this
/// host's.
Plan DatabasePlans::whole(const kept::Definition& definition) const {
  Plan plan = plan_from_json(definition.text);
  plan.ring_location = config_.ring_location;
  take_routers(plan, config_);
  for (Side* side : {&plan.from, &plan.to}) {
    const auto shard = std::find_if(shards_.begin(), shards_.end(),
                                    [&](const Side& each) { return each.pnode == side->pnode; });
    if (shard == shards_.end())
      throw std::runtime_error("plan " + plan.name() + " is from " + plan.from.pnode + " to " +
                               plan.to.pnode + ", and the configuration has no PostgreSQL shard " +
                               side->pnode);
    side->url = shard->url;
    if (side->apply.empty()) side->apply = side->url;
  }
  return plan;
}

Journal DatabasePlans::journal_of(const Plan& plan) {
  return {plan, std::make_unique<DatabaseRecords>(plan, directory_ / plan.name()),
          shared_from_this()};
}

/// A side that is away gets it when it is taken.
Journal DatabasePlans::create(const Plan& plan, const std::optional<Begun>& begun) {
  const std::string first = begun ? first_line(begun->state, begun->event) : "";
  std::vector<std::string> away;
  for (const Side* side : {&plan.from, &plan.to}) try {
      Session session(side->url, kApplication, kConnectSeconds);
      if (!kept::keep_definition(session, plan, 0, first))
        throw std::runtime_error("shard " + side->pnode + " has another plan " + plan.name());
    } catch (const SessionError& error) {
      away.push_back("shard " + side->pnode + ": " + error.what());
    }
  if (away.size() == 2)
    throw std::runtime_error("plan " + plan.name() + " is kept at neither side" + list_of(away));
  return journal_of(plan);
}

std::vector<Side> DatabasePlans::numbered_with(const Side& /*from*/, const Side& /*to*/) const {
  return shards_;
}

std::uint64_t DatabasePlans::last_number() {
  const auto all = numbers();
  return all.empty() ? 0 : all.back();
}

std::unique_ptr<LockTurn> DatabasePlans::lock_turn() {
  return std::make_unique<SessionsTurn>(shards_);
}

std::string DatabasePlans::place_of(const Plan& plan) const {
  return "the databases of " + plan.from.pnode + " and " + plan.to.pnode;
}

}  // namespace reshard
