#include "router/control/pending.hpp"

#include <charconv>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "json/nesting.hpp"

namespace router {
namespace {

Refusal nothing_prepared() { return {"nothing_prepared", "no lease is out: nothing is prepared"}; }

Refusal not_holder() { return {"not_holder", "another coordinator holds the lease"}; }

}  // namespace

Holder Holder::parse(const std::string& text) {
  Holder holder;
  const std::size_t slash = text.find('/');
  holder.token = text.substr(0, slash);
  if (slash != std::string::npos)
    std::from_chars(text.data() + slash + 1, text.data() + text.size(), holder.coordinator);
  return holder;
}

std::string PendingRing::to_text() const {
  return nlohmann::ordered_json{{"generation", generation},
                                {"digest", digest},
                                {"plan", plan},
                                {"token", token},
                                {"from", from},
                                {"to", to},
                                {"vnodes", vnodes.to_text()},
                                {"leaseMs", lease.count()}}
      .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::optional<PendingRing> PendingRing::parse(const std::string& text) {
  const auto json = json::parse_bounded<nlohmann::json>(text);
  if (!json.is_object()) return std::nullopt;
  try {
    return PendingRing{json.value("generation", std::uint64_t{0}),
                       json.value("digest", ""),
                       json.value("plan", ""),
                       json.value("token", ""),
                       json.value("from", ""),
                       json.value("to", ""),
                       ring::VnodeSet::parse(json.value("vnodes", "")),
                       std::chrono::milliseconds(json.value("leaseMs", std::int64_t{0}))};
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  } catch (const std::invalid_argument&) {
    return std::nullopt;
  }
}

void Pending::found(PendingRing ring) { state_ = Left{std::move(ring)}; }

void Pending::stage(PendingRing ring, std::chrono::nanoseconds now) {
  Staged staged{std::move(ring), {}};
  staged.ring.token = *staged.lease.take(now, staged.ring.lease, staged.ring.token);
  state_ = std::move(staged);
}

void Pending::end() { state_ = Nothing{}; }

void Pending::renew(std::chrono::nanoseconds now, std::chrono::milliseconds time) {
  auto& staged = std::get<Staged>(state_);
  staged.lease.renew(staged.ring.token, now, time);
  staged.ring.lease = time;
}

const PendingRing* Pending::ring() const {
  if (const auto* left = std::get_if<Left>(&state_)) return &left->ring;
  if (const auto* staged = std::get_if<Staged>(&state_)) return &staged->ring;
  return nullptr;
}

bool Pending::lease_runs(std::chrono::nanoseconds now) const {
  const auto* staged = std::get_if<Staged>(&state_);
  return staged != nullptr && !staged->lease.expired(now);
}

std::chrono::milliseconds Pending::lease_left(std::chrono::nanoseconds now) const {
  const auto* staged = std::get_if<Staged>(&state_);
  return staged != nullptr ? staged->lease.left(now) : std::chrono::milliseconds(0);
}

std::chrono::nanoseconds Pending::lease_end() const {
  const auto* staged = std::get_if<Staged>(&state_);
  return staged != nullptr ? staged->lease.end() : std::chrono::nanoseconds(0);
}

std::optional<Refusal> Pending::against_change(const std::string& what,
                                               std::chrono::nanoseconds now) const {
  const PendingRing* pending = ring();
  if (pending == nullptr) return std::nullopt;
  const std::string generation = std::to_string(pending->generation);
  if (pending->of_plan())
    return Refusal("prepared", what + ": plan " + pending->plan + " has prepared generation " +
                                   generation + ", which stays until the plan activates or " +
                                   "abandons it, or is over by its row at \"" + pending->from +
                                   "\"");
  if (!lease_runs(now)) return std::nullopt;
  return Refusal("prepared", what + ": a coordinator has prepared generation " + generation +
                                 " and holds its lease for another " +
                                 std::to_string(lease_left(now).count()) + " ms");
}

std::optional<Refusal> Pending::against_prepare(const std::string& holder,
                                                std::chrono::nanoseconds now) const {
  if (const PendingRing* pending = ring(); pending != nullptr && !holder.empty()) {
    const Holder asking = Holder::parse(holder), has = Holder::parse(pending->token);
    if (asking.may_replace(has)) return std::nullopt;
    if (asking.token == has.token) return not_holder();
  }
  return against_change("prepare", now);
}

std::optional<Refusal> Pending::against_holder(const std::string& token,
                                               std::chrono::nanoseconds now) const {
  const PendingRing* pending = ring();
  if (pending == nullptr || (!staged() && !pending->of_plan())) return nothing_prepared();
  if (token != pending->token) return not_holder();
  if (!staged())
    return Refusal("nothing_prepared",
                   "the ring was prepared before this router started; prepare again");
  if (!lease_runs(now)) return Refusal("lease_expired", "the lease has run out; prepare again");
  return std::nullopt;
}

std::optional<Refusal> Pending::against_abandon(const std::string& token) const {
  const PendingRing* pending = ring();
  if (pending == nullptr) return nothing_prepared();
  const Holder has = Holder::parse(pending->token);
  if (token == has.token || Holder::parse(token).may_replace(has)) return std::nullopt;
  return not_holder();
}

}  // namespace router
