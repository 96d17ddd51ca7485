#include "turns/fair_queue.hpp"

#include <algorithm>
#include <bit>
#include <iterator>

namespace turns {
namespace {

// A request costs as its bytes do, and so much by itself; a client has a round's worth in its turn.
constexpr std::size_t kRequest = 4 << 10;
constexpr std::ptrdiff_t kRound = 16 << 10;
constexpr std::size_t kInLane = 0, kInRound = 1;  // credits
constexpr std::size_t kTurns = 4;                 // the last of them is in a round
// Where a shard hangs, its clients' requests wait for long: what waits elsewhere counts as eight
// times what waits here, at most.
constexpr std::size_t kElsewhere = 3;

std::size_t lane_of(std::size_t cost) {
  return static_cast<std::size_t>(std::bit_width(cost / (2 * kRequest)));
}

}  // namespace

void FairQueue::add(Entry& entry, const void* client, std::size_t bytes, Clock::time_point now) {
  Flow& flow = flows_[client];
  if (flow.entries.empty()) {
    flow.client = client;
    flow.everywhere = &ledger_.enter(client);
    flow.credit[kInLane] = flow.credit[kInRound] = kRound;
    round_.push_back(flow);
  }
  entry.client_ = &flow;
  entry.cost_ = kRequest + bytes;
  entry.since_ = now;
  flow.entries.push_back(entry);
  flow.cost += entry.cost_;
  *flow.everywhere += entry.cost_;
  ++count_;
  settle(flow);
}

/// What it has waiting has changed.
void FairQueue::settle(Flow& flow) {
  if (flow.entries.empty()) {
    ledger_.leave(flow.client);
    flows_.erase(flow.client);  // and so unlinked
    return;
  }
  const std::size_t lane =
      std::min({lane_of(*flow.everywhere), lane_of(flow.cost) + kElsewhere, lanes_.size() - 1});
  const bool linked = flow.EntryHook::is_linked();
  if (linked && flow.lane == lane) return;
  if (linked) flow.EntryHook::unlink();
  flow.lane = lane;
  lanes_[flow.lane].push_back(flow);
}

void FairQueue::take(Flow& flow, Entry& entry) {
  entry.unlink();
  entry.client_ = nullptr;
  flow.cost -= entry.cost_;
  *flow.everywhere -= entry.cost_;
  --count_;
}

void FairQueue::remove(Entry& entry) {
  Flow* flow = static_cast<Flow*>(entry.client_);
  if (flow == nullptr) return entry.unlink();
  take(*flow, entry);
  settle(*flow);
}

/// One that has had its part comes last, and may have another.
template <typename List>
FairQueue::Flow& FairQueue::in_turn(List& flows, std::size_t credit) {
  while (flows.front().credit[credit] <= 0) {
    Flow& flow = flows.front();
    flow.credit[credit] += kRound;
    flows.pop_front();
    flows.push_back(flow);
  }
  return flows.front();
}

Entry* FairQueue::next() {
  if (count_ == 0) return nullptr;
  const std::size_t credit = ++turn_ % kTurns == 0 ? kInRound : kInLane;
  const auto lane =
      std::find_if(lanes_.begin(), lanes_.end(), [](const Lane& each) { return !each.empty(); });
  Flow& flow = credit == kInRound ? in_turn(round_, credit) : in_turn(*lane, credit);
  Entry& entry = flow.entries.front();
  flow.credit[credit] -= static_cast<std::ptrdiff_t>(entry.cost_);
  take(flow, entry);
  settle(flow);
  return &entry;
}

void FairQueue::look_at_ledger() {
  for (auto& [client, flow] : flows_) settle(flow);
}

bool FairQueue::is_late(const Flow& flow, Clock::time_point before,
                        Clock::time_point alone_before) {
  if (flow.entries.empty()) return false;
  const bool alone = std::next(flow.entries.begin()) == flow.entries.end();
  return flow.entries.front().since_ < (alone ? alone_before : before);
}

void FairQueue::take_late(Clock::time_point before, Clock::time_point alone_before,
                          std::size_t most, Entries& late) {
  std::size_t clients = 0;
  for (const auto& [client, flow] : flows_)
    clients += is_late(flow, before, alone_before) ? 1u : 0u;
  if (clients == 0) return;
  const std::size_t each = std::max<std::size_t>(1, most / clients);
  // One that has lost some is looked at last when there are more.
  std::size_t taken = 0;
  for (std::size_t left = flows_.size(); left > 0 && taken < most; --left) {
    Flow& flow = round_.front();
    round_.pop_front();
    round_.push_back(flow);
    const std::size_t may = std::min(each, most - taken);
    for (std::size_t i = 0; i < may && is_late(flow, before, alone_before); ++i, ++taken) {
      Entry& entry = flow.entries.front();
      take(flow, entry);
      late.push_back(entry);
    }
    settle(flow);
  }
}

}  // namespace turns
