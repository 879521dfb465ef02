import { stream } from "./shell.js";
stream.want({});
