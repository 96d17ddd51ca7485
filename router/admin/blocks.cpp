// Commands that block writes to vnodes and let them go on.
#include "router/admin/command.hpp"

namespace router::admin {
namespace {

const char* name_of(GateMode mode) { return mode == GateMode::hold ? "hold" : "refuse"; }

GateMode mode_of(const Json& arguments) {
  const std::string name = text(arguments, "mode", "hold");
  if (name == "hold") return GateMode::hold;
  if (name == "refuse") return GateMode::refuse;
  throw Refusal("bad_argument", "argument \"mode\" must be hold or refuse, not \"" + name + "\"");
}

Json json_of_block(const BlockReport& report) {
  Json result{{"vnodes", report.vnodes},
              {"mode", name_of(report.mode)},
              {"microseconds", microseconds(report.published.took)}};
  if (!report.waited) return result;
  Json lost = Json::array();
  for (const IndeterminateWrite& write : report.indeterminate)
    lost.push_back(
        {{"vnode", write.vnode ? Json(ring::number(*write.vnode)) : Json(nullptr)},
         {"shard", write.pnode},
         {"ageMs", std::chrono::duration_cast<std::chrono::milliseconds>(report.ended - write.lost)
                       .count()}});
  result["drained"] = report.drained;
  result["waitedFor"] = report.waited_for;
  result["waitedMicroseconds"] = microseconds(report.wait);
  result["indeterminate"] = std::move(lost);
  result["assumedSettled"] = report.assumed_settled;
  return result;
}

Json json_of_unblock(const UnblockReport& report) {
  return {{"vnodes", report.vnodes}, {"microseconds", microseconds(report.published.took)}};
}

void block(const AdminActions& actions, const Json& arguments, const Answer& answer) {
  BlockRequest request;
  request.vnodes = vnodes(arguments);
  request.mode = mode_of(arguments);
  request.wait = flag(arguments, "wait");
  request.wait_max = std::chrono::milliseconds(number(arguments, "timeoutMs", 60'000));
  request.grace = std::chrono::milliseconds(number(arguments, "graceMs", 0));
  request.lease = text(arguments, "lease");
  actions.control->block(std::move(request), answer_with<BlockReport>(answer, json_of_block));
}

void unblock(const AdminActions& actions, const Json& arguments, const Answer& answer) {
  if (flag(arguments, "all") == arguments.contains("vnodes"))
    throw Refusal("bad_argument", "either \"vnodes\" or \"all\" must be given");
  std::optional<ring::VnodeSet> some;
  if (arguments.contains("vnodes")) some = vnodes(arguments);
  actions.control->unblock(std::move(some), answer_with<UnblockReport>(answer, json_of_unblock));
}

}  // namespace

void add_blocks(Commands& all) {
  all["block"] = {block, {"vnodes", "mode", "wait", "timeoutMs", "graceMs", "lease"}};
  all["unblock"] = {unblock, {"vnodes", "all"}};
}

}  // namespace router::admin
