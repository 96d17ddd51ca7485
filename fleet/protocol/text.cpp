#include "fleet/protocol/text.hpp"

#include <array>
#include <cstddef>
#include <utility>

#include <nlohmann/json.hpp>

#include "json/nesting.hpp"

namespace fleet {
namespace {

using Json = nlohmann::ordered_json;
using nlohmann::json;

constexpr std::array<std::string_view, 3> kKinds = {"publish", "block", "reshard"};
constexpr std::array<std::string_view, 3> kStages = {"prepare", "block", "activate"};
constexpr std::array<std::string_view, 3> kPhases = {"prepared", "leased", "activated"};

template <typename Named, std::size_t count>
Named named(const json& in, const char* member, const std::array<std::string_view, count>& names) {
  const auto text = in.at(member).get<std::string>();
  for (std::size_t i = 0; i < count; ++i)
    if (names[i] == text) return static_cast<Named>(i);
  throw Unreadable(std::string(member) + ": \"" + text + "\" is not known");
}

std::string dumped(const Json& out) {
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json of(const RingName& ring) { return {{"generation", ring.generation}, {"digest", ring.digest}}; }

RingName ring_from(const json& in) {
  return {in.at("generation").get<std::uint64_t>(), in.at("digest").get<std::string>()};
}

/// Null: there is none.
Json of(const std::optional<PlanName>& plan) {
  if (!plan) return nullptr;
  return {{"number", plan->number}, {"token", plan->token}, {"from", plan->from}, {"to", plan->to}};
}

/// Of a change, or a record of one, of that kind.
std::optional<PlanName> plan_from(const json& in, Kind kind) {
  if (kind != Kind::reshard) return std::nullopt;
  const json& plan = in.at("plan");
  return PlanName{plan.at("number").get<std::uint64_t>(), plan.at("token").get<std::string>(),
                  plan.at("from").get<std::string>(), plan.at("to").get<std::string>()};
}

Json of(const Change& change) {
  return {{"token", change.token},
          {"kind", to_string(change.kind)},
          {"stage", to_string(change.stage)},
          {"drains", change.drains},
          {"base", of(change.base)},
          {"next", of(change.next)},
          {"vnodes", change.vnodes},
          {"waits", change.waits},
          {"plan", of(change.plan)},
          {"leaseMs", change.lease.count()},
          {"prepareLimitMs", change.prepare_limit.count()},
          {"coordinator", change.coordinator},
          {"why", change.why},
          {"openedAt", change.opened_at}};
}

Change change_from(const json& in) {
  Change change;
  change.token = in.at("token").get<std::string>();
  change.kind = named<Kind>(in, "kind", kKinds);
  change.stage = named<Stage>(in, "stage", kStages);
  change.drains = in.at("drains").get<bool>();
  change.base = ring_from(in.at("base"));
  change.next = ring_from(in.at("next"));
  change.vnodes = in.value("vnodes", "");
  change.waits = in.value("waits", true);
  change.plan = plan_from(in, change.kind);
  change.lease = std::chrono::milliseconds(in.at("leaseMs").get<std::int64_t>());
  change.prepare_limit = std::chrono::milliseconds(in.at("prepareLimitMs").get<std::int64_t>());
  change.coordinator = in.value("coordinator", "");
  change.why = in.value("why", "");
  change.opened_at = in.value("openedAt", std::int64_t{0});
  return change;
}

/// What `read` makes of the text's object, whose form is one that is known.
template <typename Read>
auto read_from(std::string_view what, std::string_view text, Read read,
               Versions known = {kForm, kForm}) {
  const auto in = ::json::parse_bounded<json>(text);
  try {
    if (!in.is_object()) throw Unreadable("it is not an object in JSON");
    const int form = in.at("v").get<int>();
    if (!known.have(form))
      throw Newer(std::string(what) + ": it has version " + std::to_string(form) +
                  ", and this program knows none beyond " + std::to_string(known.to));
    return read(in);
  } catch (const Newer&) {
    throw;
  } catch (const nlohmann::json::exception& failed) {
    throw Unreadable(std::string(what) + ": " + failed.what());
  } catch (const Unreadable& failed) {
    throw Unreadable(std::string(what) + ": " + failed.what());
  }
}

}  // namespace

std::string_view to_string(Kind kind) { return kKinds[static_cast<std::size_t>(kind)]; }
std::string_view to_string(Stage stage) { return kStages[static_cast<std::size_t>(stage)]; }
std::string_view to_string(Record::Phase phase) { return kPhases[static_cast<std::size_t>(phase)]; }

std::string to_text(const State& state) {
  Json out{{"v", state.change ? version_of(state.change->kind) : kForm},
           {"seq", state.seq},
           {"by", state.by},
           {"ring", of(state.ring)},
           {"highest", state.highest},
           {"change", nullptr},
           {"last", nullptr}};
  if (state.change) out["change"] = of(*state.change);
  if (state.last)
    out["last"] = {{"token", state.last->token},
                   {"committed", state.last->committed},
                   {"leaseMs", state.last->lease.count()}};
  return dumped(out);
}

State state_from(std::string_view text) {
  const auto read = [](const json& in) {
    State state;
    state.seq = in.at("seq").get<std::uint64_t>();
    state.by = in.at("by").get<std::string>();
    state.ring = ring_from(in.at("ring"));
    state.highest = in.at("highest").get<std::uint64_t>();
    if (const auto& change = in.at("change"); !change.is_null()) state.change = change_from(change);
    if (const auto& last = in.at("last"); !last.is_null())
      state.last = Closed{last.at("token").get<std::string>(), last.at("committed").get<bool>(),
                          std::chrono::milliseconds(last.value("leaseMs", std::int64_t{0}))};
    return state;
  };
  return read_from("state", text, read, kVersions);
}

std::string to_text(const Blocks& blocks) {
  Json all = Json::array();
  for (const Block& block : blocks)
    all.push_back({{"token", block.token},
                   {"vnodes", block.vnodes},
                   {"waits", block.waits},
                   {"who", block.who},
                   {"why", block.why}});
  return dumped({{"v", kForm}, {"blocks", std::move(all)}});
}

Blocks blocks_from(std::string_view text) {
  return read_from("blocks", text, [](const json& in) {
    Blocks blocks;
    for (const json& block : in.at("blocks"))
      blocks.push_back({block.at("token").get<std::string>(), block.at("vnodes").get<std::string>(),
                        block.at("waits").get<bool>(), block.value("who", ""),
                        block.value("why", "")});
    return blocks;
  });
}

std::string to_text(const Entry& entry) {
  Json out{{"v", kForm},
           {"incarnation", entry.incarnation},
           {"ring", of(entry.ring)},
           {"address", entry.address},
           {"httpPort", entry.http_port},
           {"version", entry.version},
           {"holdMs", entry.hold.count()},
           {"httpHost", entry.http_host},
           {"protocol", {entry.speaks.from, entry.speaks.to}}};
  if (entry.foreign)
    out["foreign"] = {{"status", entry.foreign->status},
                      {"stopped", entry.foreign->stopped},
                      {"digest", entry.foreign->digest}};
  return dumped(out);
}

Entry entry_from(std::string_view text) {
  return read_from("the roster's entry", text, [](const json& in) {
    Entry entry{in.at("incarnation").get<std::string>(),
                ring_from(in.at("ring")),
                in.value("address", ""),
                in.value("httpPort", std::uint16_t{0}),
                in.value("version", ""),
                std::chrono::milliseconds(in.value("holdMs", std::int64_t{0})),
                in.value("httpHost", "")};
    entry.speaks = {};  // programs that say nothing of it
    if (const auto speaks = in.find("protocol"); speaks != in.end())
      entry.speaks = {speaks->at(0).get<int>(), speaks->at(1).get<int>()};
    if (const auto foreign = in.find("foreign"); foreign != in.end())
      entry.foreign =
          Foreign{foreign->at("status").get<std::string>(), foreign->at("stopped").get<bool>(),
                  foreign->at("digest").get<std::string>()};
    return entry;
  });
}

std::string to_text(const Answer& answer) {
  return dumped({{"v", kForm},
                 {"token", answer.token},
                 {"stage", to_string(answer.stage)},
                 {"incarnation", answer.incarnation},
                 {"refusal", answer.refusal},
                 {"indeterminate", answer.indeterminate}});
}

Answer answer_from(std::string_view text) {
  return read_from("the member's answer", text, [](const json& in) {
    return Answer{in.at("token").get<std::string>(), named<Stage>(in, "stage", kStages),
                  in.at("incarnation").get<std::string>(), in.at("refusal").get<std::string>(),
                  in.at("indeterminate").get<std::uint64_t>()};
  });
}

std::string to_text(const Record& record) {
  return dumped({{"v", kForm},
                 {"token", record.token},
                 {"kind", to_string(record.kind)},
                 {"phase", to_string(record.phase)},
                 {"base", of(record.base)},
                 {"next", of(record.next)},
                 {"drains", record.drains},
                 {"leaseMs", record.lease.count()},
                 {"vnodes", record.vnodes},
                 {"waits", record.waits},
                 {"plan", of(record.plan)}});
}

Record record_from(std::string_view text) {
  return read_from("the record of a change", text, [](const json& in) {
    const Kind kind = named<Kind>(in, "kind", kKinds);
    return Record{in.at("token").get<std::string>(),
                  kind,
                  named<Record::Phase>(in, "phase", kPhases),
                  ring_from(in.at("base")),
                  ring_from(in.at("next")),
                  in.at("drains").get<bool>(),
                  std::chrono::milliseconds(in.at("leaseMs").get<std::int64_t>()),
                  in.value("vnodes", ""),
                  in.value("waits", true),
                  plan_from(in, kind)};
  });
}

std::string to_text(const Membership& membership) {
  return dumped({{"v", kForm},
                 {"id", membership.id},
                 {"incarnation", membership.incarnation},
                 {"before", membership.before},
                 {"ring", of(membership.ring)},
                 {"seq", membership.seq}});
}

Membership membership_from(std::string_view text) {
  return read_from("membership", text, [](const json& in) {
    return Membership{in.at("id").get<std::string>(), in.at("incarnation").get<std::string>(),
                      in.value("before", ""), ring_from(in.at("ring")),
                      in.at("seq").get<std::uint64_t>()};
  });
}

}  // namespace fleet
