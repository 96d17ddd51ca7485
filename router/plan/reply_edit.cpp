#include "router/plan/reply_edit.hpp"

#include <algorithm>
#include <charconv>

#include "router/plan/json_edits.hpp"

namespace router {
namespace {

void append_node(Edits& edits, std::string_view payload, json::Value row,
                 const ReplyOrigin& origin) {
  if (!origin.vnode) return;
  const ring::Vnode vnode = *origin.vnode;
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, number(vnode)).ptr;
  edits.insert(end_of(payload, row) - 1, {row.empty() ? "" : ",",
                                          origin.snapshot->pnodes[number(origin.pnode)].node_prefix,
                                          {digits, static_cast<std::size_t>(end - digits)},
                                          ",\"data\":",
                                          origin.snapshot->ring->data_json(vnode),
                                          "}"});
}

/// Takes a routed row's vnode out of its value. Of members of one name, the last is the one that
/// clients see. False: the row is not a record.
bool erase_vnode(Edits& edits, std::string_view payload, json::Value row) {
  std::optional<json::Value> value, underscored;
  for (const json::Member member : row.members()) {
    if (member.named("value"))
      value = member.value;
    else if (member.named("_value"))
      underscored = member.value;
    else if (member.named("_handledOptions"))
      return false;
  }
  for (const auto& each : {value, underscored})
    if (each && each->is(json::Type::object)) erase_members(edits, payload, *each, "vnode");
  return true;
}

void edit_value(ReplyEdit kind, std::string_view payload, json::Value value,
                const ReplyOrigin& origin, Edits& edits) {
  if (!value.is(json::Type::object)) return;
  switch (kind) {
    case ReplyEdit::none:
    case ReplyEdit::drop: return;
    case ReplyEdit::add_node: append_node(edits, payload, value, origin); return;
    case ReplyEdit::object:
    case ReplyEdit::record:
      if (erase_vnode(edits, payload, value) && kind == ReplyEdit::object)
        append_node(edits, payload, value, origin);
      return;
  }
}

/// Clients die of a null value: it is cut out with one neighbouring comma.
class NullEraser {
 public:
  NullEraser(Edits& edits, std::string_view payload) : edits_(edits), payload_(payload) {}

  void see(json::Value value) {
    const std::size_t begin = begin_of(payload_, value);
    if (open_) edits_.erase(open_begin_, begin);
    open_ = false;
    if (!value.is(json::Type::null)) {
      kept_before_ = true;
    } else if (kept_before_) {
      edits_.erase(previous_end_, end_of(payload_, value));
    } else {
      open_ = true;
      open_begin_ = begin;
    }
    previous_end_ = end_of(payload_, value);
  }
  void finish() {
    if (open_) edits_.erase(open_begin_, previous_end_);
  }

 private:
  Edits& edits_;
  std::string_view payload_;
  bool kept_before_ = false;
  bool open_ = false;
  std::size_t open_begin_ = 0;
  std::size_t previous_end_ = 0;
};

}  // namespace

bool is_plain_end(std::string_view payload, std::string_view rpc) {
  constexpr std::string_view kBegin = "{\"m\":{\"uts\":";
  constexpr std::size_t kDigits = 16;  // microseconds since 1970, until the year 2286
  constexpr std::string_view kName = ",\"name\":\"";
  constexpr std::string_view kEnd = "\"},\"d\":[]}";
  constexpr std::size_t kRest = kBegin.size() + kDigits;
  if (payload.size() != kRest + kName.size() + rpc.size() + kEnd.size()) return false;
  const std::string_view number = payload.substr(kBegin.size(), kDigits);
  return payload.starts_with(kBegin) && number[0] != '0' &&
         std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
         payload.substr(kRest, kName.size()) == kName &&
         payload.substr(kRest + kName.size(), rpc.size()) == rpc && payload.ends_with(kEnd);
}

std::optional<ReplyValues> edit_reply(const Method& method, std::string_view payload,
                                      json::Value root, const ReplyOrigin& origin, Edits& edits) {
  if (!root.is(json::Type::object)) return std::nullopt;
  const auto d = root.find("d");
  if (!d || !d->is(json::Type::array)) return std::nullopt;

  ReplyValues values;
  NullEraser nulls(edits, payload);
  for (const json::Value value : d->elements()) {
    nulls.see(value);
    if (value.is(json::Type::null)) continue;
    ++values.count;
    edit_value(method.reply_edit, payload, value, origin, edits);
  }
  nulls.finish();
  return values;
}

bool valid_error(json::Value root) {
  if (!root.is(json::Type::object)) return false;
  const auto d = root.find("d");
  if (!d || !d->is(json::Type::object)) return false;
  const auto name = d->find("name");
  const auto message = d->find("message");
  return name && name->is(json::Type::string) && message && message->is(json::Type::string);
}

std::optional<std::string> fence_refusal(json::Value root) {
  std::string scratch;
  const std::string_view message = root.find("d")->find("message")->string(scratch);
  if (!message.starts_with("moray-router: ") ||
      message.find(" is fenced by plan ") == std::string_view::npos)
    return std::nullopt;
  return std::string(message);
}

}  // namespace router
