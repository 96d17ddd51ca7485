// What a member asks the databases about a plan of resharding.
#include <algorithm>

#include <boost/asio/post.hpp>

#include "router/member/fleet_member.hpp"

namespace router {
namespace {

/// Before the plan is decided, a failover may take its commit back.
fleet::RowSays said_by(PlanStanding standing) {
  switch (standing) {
    case PlanStanding::open: return fleet::RowSays::open;
    case PlanStanding::fenced: return fleet::RowSays::fenced;
    case PlanStanding::decided: return fleet::RowSays::decided;
    case PlanStanding::aborted: return fleet::RowSays::aborted;
    case PlanStanding::unknown:
    case PlanStanding::none:
    case PlanStanding::committed:
    case PlanStanding::other_ring: break;
  }
  return fleet::RowSays::nothing;
}

}  // namespace

/// On a thread of the reader's, one after the other: they may not answer for seconds.
void FleetMember::ask_row(const fleet::RowQuestion& question,
                          std::function<void(fleet::RowSays)> said) {
  const std::string& pnode = question.at_target ? question.plan.to : question.plan.from;
  const auto config = control_.config();
  const auto shard =
      std::find_if(config->shards.begin(), config->shards.end(), [&](const config::Shard& each) {
        return each.pnode == pnode && each.backend == config::Backend::postgres;
      });
  const auto tell = [loop = thread_.shared_loop(), said = std::move(said)](fleet::RowSays says) {
    boost::asio::post(*loop, [said, says] { said(says); });
  };
  if (shard == config->shards.end()) return tell(fleet::RowSays::nothing);
  if (reader_ == nullptr) reader_ = std::make_unique<PlanReader>(log_);
  PlanQuestion asked{shard->url, std::to_string(question.plan.number), question.plan.token,
                     question.digest};
  if (!question.at_target)
    return reader_->ask(std::move(asked), [tell](PlanStanding says) { tell(said_by(says)); });
  reader_->ask_open(std::move(asked), [tell](bool open) {
    tell(open ? fleet::RowSays::open : fleet::RowSays::nothing);
  });
}

}  // namespace router
