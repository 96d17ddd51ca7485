#include "router/control/pending.hpp"

#include <charconv>
#include <stdexcept>

#include <nlohmann/json.hpp>

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
  const auto json = nlohmann::json::parse(text, nullptr, false);
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

void Pending::found(PendingRing ring) {
  end();
  ring_ = std::move(ring);
}

void Pending::stage(PendingRing ring, std::chrono::nanoseconds now) {
  lease_.give_back();
  ring.token = *lease_.take(now, ring.lease, ring.token);
  ring_ = std::move(ring);
  staged_ = true;
}

void Pending::end() {
  ring_.reset();
  staged_ = false;
  lease_.give_back();
}

void Pending::renew(std::chrono::nanoseconds now, std::chrono::milliseconds time) {
  lease_.renew(ring_->token, now, time);
  ring_->lease = time;
}

std::optional<Refusal> Pending::against_change(const std::string& what,
                                               std::chrono::nanoseconds now) const {
  if (!ring_) return std::nullopt;
  const std::string generation = std::to_string(ring_->generation);
  if (ring_->of_plan())
    return Refusal("prepared", what + ": plan " + ring_->plan + " has prepared generation " +
                                   generation + ", which stays until the plan activates or " +
                                   "abandons it, or is over by its row at \"" + ring_->from + "\"");
  if (!lease_runs(now)) return std::nullopt;
  return Refusal("prepared", what + ": a coordinator has prepared generation " + generation +
                                 " and holds its lease for another " +
                                 std::to_string(lease_left(now).count()) + " ms");
}

std::optional<Refusal> Pending::against_prepare(const std::string& holder,
                                                std::chrono::nanoseconds now) const {
  if (ring_ && !holder.empty()) {
    const Holder asking = Holder::parse(holder), has = Holder::parse(ring_->token);
    if (asking.may_replace(has)) return std::nullopt;
    if (asking.token == has.token) return not_holder();
  }
  return against_change("prepare", now);
}

std::optional<Refusal> Pending::against_holder(const std::string& token,
                                               std::chrono::nanoseconds now) const {
  if (!ring_ || (!staged_ && !ring_->of_plan())) return nothing_prepared();
  if (token != ring_->token) return not_holder();
  if (!staged_)
    return Refusal("nothing_prepared",
                   "the ring was prepared before this router started; prepare again");
  if (lease_.expired(now)) return Refusal("lease_expired", "the lease has run out; prepare again");
  return std::nullopt;
}

std::optional<Refusal> Pending::against_abandon(const std::string& token) const {
  if (!ring_) return nothing_prepared();
  if (!Holder::parse(token).may_replace(Holder::parse(ring_->token))) return not_holder();
  return std::nullopt;
}

}  // namespace router
